-- get tells where a job is.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:scheduled
-- KEYS[3] asynq:{q}:retry
-- ARGV[1] id of the job
-- ARGV[2] asynq:{q}:g:
--
-- Returns {state, message, line, place, at, cancel, result}: as asynq names the state; the place in the line, from 1, 0 outside
-- of the lines; at, in unix seconds, for a scheduled or retried job. Empty for what there is not. Nil if there is no job.

local h = redis.call('HMGET', KEYS[1], 'state', 'msg', 'group', 'line', 'cancel', 'result')
local state = h[1]
if not state or not h[2] then
  return nil
end
local line, place, at = h[3] or '', 0, ''
if state == 'aggregating' then
  place = (redis.call('ZRANK', ARGV[2] .. line, ARGV[1]) or -1) + 1
elseif state == 'active' then
  line = h[4] or ''
else
  line = ''
  if state == 'scheduled' or state == 'retry' then
    at = redis.call('ZSCORE', state == 'retry' and KEYS[3] or KEYS[2], ARGV[1]) or ''
  end
end
return {state, h[2], line, string.format('%.0f', place), at, h[5] or '', h[6] or ''}
