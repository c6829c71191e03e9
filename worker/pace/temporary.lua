-- temporary gives a page rates for a time, from the next slot on, or ends them.
--
-- KEYS[1] sendpace:{q}:temporary:<page>
-- KEYS[2] sendpace:{q}:due
-- KEYS[3] sendpace:{q}:shares:<page>
-- ARGV[1] page
-- ARGV[2] how long they hold, us; 0: end those that there are
-- ARGV[3] us between two sends of the page, of bulk and of media, each 0 where it stays as configured
--
-- Returns the time that they end, in us; of those that are ended now 0 if there were none.
--
-- Invariant: the page's lines are looked at again at once, so that a slot that has come nearer is not overslept.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local ends
if ARGV[2] == '0' then
  ends = redis.call('DEL', KEYS[1]) == 1 and now or 0
else
  ends = now + ARGV[2]
  redis.call('SET', KEYS[1], string.format('%.0f ', ends) .. ARGV[3], 'PX', string.format('%.0f', math.ceil(ARGV[2] / 1000)))
end
look_again(KEYS[2], KEYS[3], ARGV[1], string.format('%.0f', now))
return string.format('%.0f', ends)
