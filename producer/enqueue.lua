-- enqueue stores a job, once for its key, if its line has room. It stands in for the scripts by which asynq adds a task to a
-- group or schedules one (asynq v0.26.0, internal/rdb/rdb.go, addToGroupCmd and scheduleCmd), and leaves the task as they do.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:g:<line>, or asynq:{q}:scheduled
-- KEYS[3] sendpace:{q}:outcomes        '<page>:accepted' -> count
-- KEYS[4] asynq:{q}:groups             names of the lines
-- KEYS[5] sendpace:{q}:due             line -> the earliest time, in us, that it is worth a look; sendpace:{q}:wake tells of a new line
-- KEYS[6] sendpace:{q}:broadcast:<id>  counts of the job's broadcast; KEYS[3] if it has none
-- KEYS[7] sendpace:{q}:rates:<page>    the rates of the page; not there if it has those of all others
-- KEYS[8] sendpace:{q}:rates:default   the rates of all others
-- KEYS[9] sendpace:{q}:closed          not there, unless pages are spread over other queues
-- KEYS[10] sendpace:{q}:key:<hash>     holds the id that the job's key stands for; left out if it has no key
-- ARGV[1] message, as asynq encoded it
-- ARGV[2] id of the job
-- ARGV[3] score: unix seconds, of enqueueing in a line, of the earliest time of sending in scheduled
-- ARGV[4] line; empty: scheduled
-- ARGV[5] page
-- ARGV[6] how long the key stands for the job, ms
-- ARGV[7] how many jobs may wait in the line; 0: any number
-- ARGV[8] how long the jobs in the line may take, us; 0: any time
--
-- Returns id                  ARGV[2]: the job is stored, by this call or by an earlier try of it whose answer was lost
--                             another one: the key stands for that other job; nothing was written
--         {'closed'}          the queue takes no jobs; nothing was written
--         {'cancelled'}       the job's broadcast was cancelled; nothing was written
--         {'full', waiting, us}  so many wait in the line and take so long, 0 if that was not asked; nothing was written
--
-- Invariant: no job is stored in a broadcast that was cancelled: it would wait until that is forgotten, and then go.
-- A key is claimed and its job stored together or not at all, and the job is counted as accepted with them.

-- load counts the jobs of the line and its side lines, and reckons how long they take: all of them at the pace of the lane,
-- and those in a side line at the pace of their class, if that is longer. The line of a broadcast has no side lines, and counts as
-- if it had the pace to itself. Beyond 285 years it stops counting: Go could not.
local function load()
  local rates = ARGV[8] ~= '0' and (redis.call('GET', KEYS[7]) or redis.call('GET', KEYS[8]))
  local lane, broadcast = string.match(ARGV[4], '^%d+:(%a+)(.*)$')
  local waiting = redis.call('ZCARD', KEYS[2])
  local drain = 0
  for _, side in ipairs(broadcast == '' and {'media', 'reply', 'later'} or {}) do
    local n = redis.call('ZCARD', KEYS[2] .. ':' .. side)
    waiting = waiting + n
    drain = math.max(drain, n * interval(rates, lane, side))
  end
  return waiting, math.min(math.max(drain, waiting * interval(rates, lane)), 9e15)
end

if redis.call('EXISTS', KEYS[1], KEYS[9]) > 0 then
  return redis.call('EXISTS', KEYS[1]) == 1 and ARGV[2] or {'closed'}
end
if KEYS[10] then
  local first = redis.call('GET', KEYS[10])
  if first then
    return first
  end
end
if KEYS[6] ~= KEYS[3] and redis.call('HGET', KEYS[6], 'state') == 'cancelled' then
  return {'cancelled'}
end
if ARGV[4] ~= '' and (ARGV[7] ~= '0' or ARGV[8] ~= '0') then
  local waiting, drain = load()
  if ARGV[7] ~= '0' and waiting >= tonumber(ARGV[7]) or ARGV[8] ~= '0' and drain >= tonumber(ARGV[8]) then
    return {'full', tostring(waiting), string.format('%.0f', drain)}
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
    redis.call('PUBLISH', (string.gsub(KEYS[5], 'due$', 'wake')), 'line')
  end
end
if KEYS[10] then
  redis.call('SET', KEYS[10], ARGV[2], 'PX', ARGV[6])
end
redis.call('HINCRBY', KEYS[3], ARGV[5] .. ':accepted', 1)
if KEYS[6] ~= KEYS[3] then
  redis.call('HINCRBY', KEYS[6], 'accepted', 1)
end
return ARGV[2]
