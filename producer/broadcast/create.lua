-- create writes a broadcast down that is about to be stored, unless there is one of that name.
--
-- KEYS[1] sendpace:{q}:broadcast:<name>   its settings and counts
-- KEYS[2] sendpace:{q}:broadcasts         names, by the unix seconds that they were made
-- KEYS[3] sendpace:{q}:closed             not there, unless pages are spread over other queues
-- ARGV[1] name
-- ARGV[2] digest of what its jobs are made of
-- ARGV[3...] fields and values of the settings
--
-- Returns {'created'}
--         {'there', state, seed, test}   it was made before, of the same; nothing was written
--         {'other'}   it was made of something else
--         {'closed'}  the queue takes no jobs; nothing was written
--         {'jobs'}    no broadcast, but jobs that were enqueued under that name are counted there

local h = redis.call('HMGET', KEYS[1], 'digest', 'state', 'seed', 'test')
if h[1] then
  return h[1] == ARGV[2] and {'there', h[2] or '', h[3] or '', h[4] or ''} or {'other'}
end
if redis.call('EXISTS', KEYS[1]) == 1 then
  return {'jobs'}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  return {'closed'}
end
redis.call('HSET', KEYS[1], 'digest', ARGV[2], 'state', 'loading', 'loaded', 0, unpack(ARGV, 3))
redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
return {'created'}
