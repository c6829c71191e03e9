-- load stores jobs of a broadcast and moves its cursor over their rows, both or neither. Each task is left as enqueue.lua
-- leaves it.
--
-- KEYS[1] sendpace:{q}:broadcast:<name>
-- KEYS[2] asynq:{q}:g:<line>
-- KEYS[3] asynq:{q}:groups
-- KEYS[4] sendpace:{q}:due
-- KEYS[5] sendpace:{q}:outcomes   '<page>:accepted' -> count
-- KEYS[6] sendpace:{q}:closed     not there, unless pages are spread over other queues
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] line
-- ARGV[3] page
-- ARGV[4] where the cursor is: the number of the last row before these
-- ARGV[5] where it goes to: that of the last of these
-- ARGV[6...] of each job: id, '1' if it is in the test share or else '0', message as asynq encoded it
--
-- Returns {'stored'}
--         {'at', cursor}   nothing was written, as the cursor is elsewhere: an earlier try of this call, whose answer was lost,
--                          moved it, or another process does
--         {'cancelled'}    nothing was written
--         {'gone'}         there is no such broadcast
--         {'closed'}       the queue takes no jobs; nothing was written
--
-- Invariant: the job of a row is stored if and only if the cursor has passed the row, however often this is called.

local h = redis.call('HMGET', KEYS[1], 'digest', 'state', 'loaded')
if not h[1] then
  return {'gone'}
end
if h[2] == 'cancelled' then
  return {'cancelled'}
end
if redis.call('EXISTS', KEYS[6]) == 1 then
  return {'closed'}
end
if h[3] ~= ARGV[4] then
  return {'at', h[3] or '0'}
end
redis.call('HSET', KEYS[1], 'loaded', ARGV[5])
local n = (#ARGV - 5) / 3
if n == 0 then
  return {'stored'}
end

local t = redis.call('TIME')
for i = 6, #ARGV, 3 do
  redis.call('HSET', ARGV[1] .. ARGV[i], 'msg', ARGV[i + 2], 'state', 'aggregating', 'group', ARGV[2], 'acc', '1')
  redis.call('ZADD', KEYS[2], ARGV[i + 1] == '1' and '1' or t[1], ARGV[i])
end
if redis.call('SADD', KEYS[3], ARGV[2]) == 1 then
  redis.call('ZADD', KEYS[4], 'NX', string.format('%.0f', t[1] * 1000000 + t[2]), ARGV[2])
end
redis.call('HINCRBY', KEYS[5], ARGV[3] .. ':accepted', n)
redis.call('HINCRBY', KEYS[1], 'accepted', n)
return {'stored'}
