-- release ends the pause or hold of a page, or of the whole app, at once.
--
-- KEYS[1] sendpace:{q}:pause:<page|app>
-- KEYS[2] sendpace:{q}:strikes:<page|app>
-- KEYS[3] sendpace:{q}:due
-- KEYS[4] sendpace:{q}:tokenless   pages that are held because a worker had no token for them
-- KEYS[5] sendpace:{q}:shares:<page|app>
-- ARGV[1] page, or 'app'
-- ARGV[2] 1: only a hold because of a missing token
--
-- Returns 1 if there was such a pause or hold, 0 if not.

redis.call('SREM', KEYS[4], ARGV[1])
if ARGV[2] == '1' and not for_token(KEYS[1]) then
  return 0
end
local found = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
local t = redis.call('TIME')
look_again(KEYS[3], KEYS[5], ARGV[1], string.format('%.0f', t[1] * 1000000 + t[2]))
return found
