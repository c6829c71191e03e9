-- enqueue stores a job, once for its key, if its line has room. It stands in for the scripts by which asynq adds a task to a
-- group or schedules one (asynq v0.26.0, internal/rdb/rdb.go, addToGroupCmd and scheduleCmd), and leaves the task as they do.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:g:<line>, or asynq:{q}:scheduled
-- KEYS[3] sendpace:{q}:outcomes        '<page>:accepted' -> count
-- KEYS[4] asynq:{q}:groups             names of the lines
-- KEYS[5] sendpace:{q}:due             line -> the earliest time, in us, that it is worth a look
-- KEYS[6] sendpace:{q}:broadcast:<id>  counts of the job's broadcast; KEYS[3] if it has none
-- KEYS[7] sendpace:{q}:key:<hash>      holds the id that the job's key stands for; left out if it has no key
-- ARGV[1] message, as asynq encoded it
-- ARGV[2] id of the job
-- ARGV[3] score: unix seconds, of enqueueing in a line, of the earliest time of sending in scheduled
-- ARGV[4] line; empty: scheduled
-- ARGV[5] page
-- ARGV[6] how many jobs may wait in the line; 0: any number
-- ARGV[7] how long the key stands for the job, ms
--
-- Returns {'stored', id}      the job is stored: by this call, or by an earlier try of it whose answer was lost
--         {'repeat', id}      the key stands for that other job; nothing was written
--         {'full', waiting}   so many wait in the line; nothing was written
--
-- Invariant: a key is claimed and its job stored together or not at all, and the job is counted as accepted with them.

if KEYS[7] then
  local first = redis.call('GET', KEYS[7])
  if first then
    return {first == ARGV[2] and 'stored' or 'repeat', first}
  end
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'stored', ARGV[2]}
end
if ARGV[4] ~= '' and ARGV[6] ~= '0' then
  local waiting = 0
  for _, side in ipairs({'', ':media', ':reply', ':later'}) do
    waiting = waiting + redis.call('ZCARD', KEYS[2] .. side)
  end
  if waiting >= tonumber(ARGV[6]) then
    return {'full', tostring(waiting)}
  end
end

redis.call('ZADD', KEYS[2], ARGV[3], ARGV[2])
if ARGV[4] == '' then
  redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'scheduled', 'acc', '1')
else
  redis.call('HSET', KEYS[1], 'msg', ARGV[1], 'state', 'aggregating', 'group', ARGV[4], 'acc', '1')
  if redis.call('SADD', KEYS[4], ARGV[4]) == 1 then
    local t = redis.call('TIME')
    redis.call('ZADD', KEYS[5], 'NX', string.format('%.0f', t[1] * 1000000 + t[2]), ARGV[4])
  end
end
if KEYS[7] then
  redis.call('SET', KEYS[7], ARGV[2], 'PX', ARGV[7])
end
redis.call('HINCRBY', KEYS[3], ARGV[5] .. ':accepted', 1)
if KEYS[6] ~= KEYS[3] then
  redis.call('HINCRBY', KEYS[6], 'accepted', 1)
end
return {'stored', ARGV[2]}
