-- rates makes the rates of all pages those given, from the next slot on.
--
-- KEYS[1] sendpace:{q}:rates:pages   the pages that have rates of their own
-- KEYS[2] sendpace:{q}:due
-- ARGV[1] sendpace:{q}:rates:        prefix of the rates of a page, and of 'default'
-- ARGV[2] 1: only if there are no rates, because Redis lost them
-- ARGV[3...] page, or 'default', and its rates: us between two sends of the page, of bulk, media and private replies; us
--            between two sends to one recipient; the day's budget of the page, and of the app; margin
--
-- Returns 1 if the rates were set.
--
-- Invariant: every line is looked at again at once, so that a slot that has come nearer is not overslept.

if ARGV[2] == '1' and redis.call('EXISTS', ARGV[1] .. 'default') == 1 then
  return 0
end
for _, page in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  redis.call('DEL', ARGV[1] .. page)
end
redis.call('DEL', KEYS[1])
for i = 3, #ARGV, 2 do
  redis.call('SET', ARGV[1] .. ARGV[i], ARGV[i + 1])
  if ARGV[i] ~= 'default' then
    redis.call('SADD', KEYS[1], ARGV[i])
  end
end
local t = redis.call('TIME')
local stamp = string.format('%.0f', t[1] * 1000000 + t[2])
for _, line in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. stamp, '+inf')) do
  redis.call('ZADD', KEYS[2], stamp, line)
end
return 1
