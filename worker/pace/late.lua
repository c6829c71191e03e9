-- late moves the next slots of a page after a message that left later than its slot, so that what follows keeps its
-- distance to when the message was really sent.
--
-- KEYS[1] sendpace:{q}:threads
-- ARGV[1] sendpace:{q}:
-- ARGV[2] line
-- ARGV[3] id of the job
-- ARGV[4] the message's slot, us
-- ARGV[5] the time that counts as its slot instead, us
-- ARGV[6] its number among the page's slots of ten seconds, as charge gave it; 0: not known
--
-- Returns 1.
--
-- Invariant: of several messages that one stall made late, the latest counts, not their sum: each limit's last slot is as
-- many whole intervals behind the new time as it was behind the slot, or stays where it is. Time in which no slot was taken, or by
-- which the slots were moved before, is no such interval: there are no more of them than slots were taken since.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local page, lane, side = parse_line(ARGV[2])
local v = look(ARGV[1], page, now)
local slot, left = tonumber(ARGV[4]), tonumber(ARGV[5])
local since = taken_since(v, slot, tonumber(ARGV[6]))

for _, name in ipairs(limits_of(lane, side, class_of(ARGV[3]))) do
  local every = v.every[name]
  if every > 0 then
    local taken = math.min(since, math.floor((v.last[name] - slot) / every + 0.001))
    v.last[name] = math.max(v.last[name], left + taken * every)
  end
end
save_slots(ARGV[1], page, v, now)
local recipient = recipient_of(ARGV[3])
if recipient and v.thread > 0 then
  redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', left + v.thread), page .. ':' .. recipient)
end
return 1
