-- release ends the pause or hold of a page, or of the whole app, at once.
--
-- KEYS[1] sendpace:{q}:pause:<page|app>
-- KEYS[2] sendpace:{q}:strikes:<page|app>
-- KEYS[3] sendpace:{q}:due
-- ARGV[1] page, or 'app'
--
-- Returns 1 if there was a pause or a hold, 0 if not.

local found = redis.call('DEL', KEYS[1])
redis.call('DEL', KEYS[2])
local t = redis.call('TIME')
look_again(KEYS[3], ARGV[1], string.format('%.0f', t[1] * 1000000 + t[2]))
return found
