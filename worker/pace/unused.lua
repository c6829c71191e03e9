-- unused gives back the slot of a job that turned out not to be sent at all, so that the line does not wait for it.
--
-- KEYS[1] sendpace:{q}:rates
-- KEYS[2] sendpace:{q}:due
-- ARGV[1] sendpace:{q}:
-- ARGV[2] line
-- ARGV[3] the slot, us
--
-- Returns 1.
--
-- Invariant: a slot comes back only to a limit that has handed out none since.

local t = redis.call('TIME')
local page = parse_line(ARGV[2])
local state, every = load_slots(ARGV[1], page), intervals(KEYS[1], page)
local slot = tonumber(ARGV[3])
for _, limit in ipairs({'page', 'bulk', 'media'}) do
  if state[limit] == slot + every[limit] then
    state[limit] = slot
  end
end
save_slots(ARGV[1], page, state, t[1] * 1000000 + t[2])
redis.call('ZADD', KEYS[2], 'XX', ARGV[3], ARGV[2])
return 1
