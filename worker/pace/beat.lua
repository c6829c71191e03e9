-- beat says that a worker is alive, and whether it is the one to look for jobs of dead workers now.
--
-- KEYS[1] sendpace:{q}:workers       id -> us of its last beat
-- KEYS[2] sendpace:{q}:workers:info  id -> what it says of itself, as JSON
-- KEYS[3] sendpace:{q}:steady        us since when there was no gap in which nobody could beat
-- KEYS[4] sendpace:{q}:reaper        id of the worker that reaps; gone when that has not beaten for a while
-- ARGV[1] id of the worker
-- ARGV[2] what it says of itself, as JSON
-- ARGV[3] us without a beat after which a worker counts as dead
-- ARGV[4] us without any worker's beat that make a gap: no less than ARGV[6]
-- ARGV[5] us without a beat after which a worker is forgotten
-- ARGV[6] ms that a reaper is waited for
--
-- Returns 'reap' if the worker is to reap, 'spared' if another one does, 'nobody' while nobody may yet.
--
-- Invariant: nobody is called dead for not having beaten while nobody could: while Redis was away, or its clock jumped. A gap is
-- longer than a reaper is waited for, so that the first to beat after one is not spared, and sees it.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local reaper = redis.call('GET', KEYS[4])
if reaper and reaper ~= ARGV[1] then
  if redis.call('ZADD', KEYS[1], stamp, ARGV[1]) == 1 then
    redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
  end
  return 'spared'
end
local last = tonumber(redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2] or 0)
local steady = tonumber(redis.call('GET', KEYS[3]) or now)
if now - last > tonumber(ARGV[4]) or last > now then
  steady = now
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. stamp, '+inf')
end
redis.call('SET', KEYS[3], string.format('%.0f', steady), 'PX', 600000)
redis.call('ZADD', KEYS[1], stamp, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], '-inf', string.format('%.0f', now - ARGV[5]), 'BYSCORE')) do
  redis.call('ZREM', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
end
if now - steady < tonumber(ARGV[3]) then
  return 'nobody'
end
redis.call('SET', KEYS[4], ARGV[1], 'PX', ARGV[6])
return 'reap'
