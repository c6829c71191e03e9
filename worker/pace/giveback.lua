-- giveback puts a job that was handed out back into its line. It stands in for the script by which asynq would have
-- retried or archived the task (asynq v0.26.0, internal/rdb/rdb.go, retryCmd and archiveCmd) and counts no failure.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:active
-- KEYS[3] asynq:{q}:lease
-- KEYS[4] asynq:{q}:g:<line>
-- KEYS[5] asynq:{q}:groups
-- KEYS[6] sendpace:{q}:due
-- KEYS[7] sendpace:{q}:busy
-- ARGV[1] id of the job
-- ARGV[2] message, as asynq encoded it with the reason
-- ARGV[3] line
-- ARGV[4] 'head', 'tail' or 'park'
-- ARGV[5] recipient, as a hash
-- ARGV[6] sendpace:{q}:
-- ARGV[7] asynq:{q}:t:
-- ARGV[8] 1: the platform answered, and not with a limit or a block
-- ARGV[9] usage of the page's allowance that it named, percent; -1: none
-- ARGV[10] the same of the app's
--
-- Returns OK, or the error NOT FOUND if the task was not active: it was taken from this worker meanwhile, as asynq says it.
--
-- Invariant: the job is in exactly one of asynq's collections before and after. One that parks has a job before it.

if redis.call('LREM', KEYS[2], 0, ARGV[1]) == 0 then
  return redis.error_reply('NOT FOUND')
end
redis.call('ZREM', KEYS[3], ARGV[1])
redis.call('HSET', KEYS[1], 'msg', ARGV[2], 'state', 'aggregating', 'group', ARGV[3])

local t = redis.call('TIME')
local page = parse_line(ARGV[3])
local score = 0
local holder = redis.call('HGET', KEYS[7], page .. ':' .. ARGV[5])
if ARGV[4] == 'park' and holder and holder ~= ARGV[1] and not ended(ARGV[7], holder) then
  park(KEYS[4], ARGV[6], ARGV[3], page, ARGV[5], ARGV[1], tonumber(t[1]))
else
  if ARGV[4] ~= 'head' then
    score = t[1]
  end
  redis.call('ZADD', KEYS[4], score, ARGV[1])
  redis.call('ZADD', KEYS[6], string.format('%.0f', t[1] * 1000000 + t[2]), ARGV[3])
end
redis.call('SADD', KEYS[5], ARGV[3])
adapt_on_settle(ARGV[6], page, ARGV[8], ARGV[9], ARGV[10], t[1] * 1000000 + t[2])
return redis.status_reply('OK')
