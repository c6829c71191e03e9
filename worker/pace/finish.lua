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
-- ARGV[8] 1: the platform answered, and not with a limit or a block
-- ARGV[9] usage of the page's allowance that it named, percent; -1: none
-- ARGV[10] the same of the app's
--
-- Returns 1.
--
-- Invariant: only the job that holds a recipient's claim ends it.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
redis.call('HINCRBY', KEYS[3], ARGV[2] .. ':' .. ARGV[4], 1)
adapt_on_settle(ARGV[5], ARGV[2], ARGV[8], ARGV[9], ARGV[10], now)
if redis.call('HGET', KEYS[1], ARGV[2] .. ':' .. ARGV[3]) == ARGV[1] then
  free(KEYS[1], KEYS[2], ARGV[5], ARGV[6], ARGV[7], ARGV[2], ARGV[3], string.format('%.0f', now))
end
return 1
