-- unused gives back the slot of a job that turned out not to be sent at all, so that the line does not wait for it.
--
-- KEYS[1] sendpace:{q}:due
-- ARGV[1] sendpace:{q}:
-- ARGV[2] line
-- ARGV[3] id of the job
-- ARGV[4] the slot, us
--
-- Returns 1.
--
-- Invariant: a slot comes back only to a limit that has handed out none since.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local page, lane, side, broadcast = parse_line(ARGV[2])
local v = look(ARGV[1], page, now)
local slot = tonumber(ARGV[4])
for _, name in ipairs(limits_of(lane, side, class_of(ARGV[3]))) do
  if v.last[name] == slot then
    v.last[name] = slot - v.every[name]
  end
end
save_slots(ARGV[1], page, v, now)
if broadcast then
  local b = read_broadcast(ARGV[1] .. 'broadcast:' .. broadcast)
  if b.every > 0 and b.last == slot then
    redis.call('HSET', b.key, 'last', string.format('%.0f', slot - b.every))
  end
end
spend(ARGV[1], page, v.budget, slot, -1)
spend(ARGV[1], 'app', v.app_budget, slot, -1)
redis.call('ZADD', KEYS[1], 'XX', string.format('%.0f', math.min(slot, now + CHANGING)), ARGV[2]) -- the clock may have gone back
wake_lookout(ARGV[1])
return 1
