-- close shuts a queue for good, because the pages are to be spread over others, unless there is still something to do in it.
--
-- KEYS[1] sendpace:{q}:closed
-- KEYS[2...5] asynq:{q}:pending, active, scheduled and retry, each gone when it is empty
-- KEYS[6] asynq:{q}:groups       names of the lines; an empty line may still be in it
-- KEYS[7] sendpace:{q}:workers   by the time, in us, of their last sign of life
-- ARGV[1] how long a silent worker counts as running, us
-- ARGV[2] asynq:{q}:g:
--
-- Returns 'closed', or why nothing was changed: 'jobs' or 'workers'.

if redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4], KEYS[5]) > 0 then
  return 'jobs'
end
for _, line in ipairs(redis.call('SMEMBERS', KEYS[6])) do
  if redis.call('EXISTS', ARGV[2] .. line) == 1 then
    return 'jobs'
  end
end
local t = redis.call('TIME')
local alive = string.format('%.0f', t[1] * 1000000 + t[2] - ARGV[1])
if redis.call('ZCOUNT', KEYS[7], alive, '+inf') > 0 then
  return 'workers'
end
redis.call('SET', KEYS[1], '1')
return 'closed'
