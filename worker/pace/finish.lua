-- finish notes a job's outcome and lets the next job to the same recipient go ahead.
--
-- KEYS[1] sendpace:{q}:busy
-- KEYS[2] sendpace:{q}:due
-- KEYS[3] sendpace:{q}:outcomes   '<page>:<outcome>' -> count
-- ARGV[1] id of the job
-- ARGV[2] page
-- ARGV[3] recipient, as a hash; empty if it is not known
-- ARGV[4] outcome
-- ARGV[5] sendpace:{q}:
-- ARGV[6] asynq:{q}:t:
-- ARGV[7] asynq:{q}:g:
--
-- Returns 1.
--
-- Invariant: only the job that holds a recipient's claim ends it.

redis.call('HINCRBY', KEYS[3], ARGV[2] .. ':' .. ARGV[4], 1)
if redis.call('HGET', KEYS[1], ARGV[2] .. ':' .. ARGV[3]) == ARGV[1] then
  local t = redis.call('TIME')
  free(KEYS[1], KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[2], ARGV[3], string.format('%.0f', t[1] * 1000000 + t[2]))
end
return 1
