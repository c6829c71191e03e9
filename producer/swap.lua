-- swap writes a value if the one before it is what the caller has seen.
--
-- KEYS[1] sendpace:{q}:shards
-- ARGV[1] what was seen; empty: nothing
-- ARGV[2] what is to be there
--
-- Returns 1, or 0 if something else was there: nothing was written then.

if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
