-- late moves the next slots of pages after messages that left later than their slots, so that what follows keeps its
-- distance to when the messages were really sent.
--
-- KEYS[1] sendpace:{q}:threads
-- ARGV[1] sendpace:{q}:
-- then for each message
--   line
--   id of the job
--   the message's slot, us
--   the time that counts as its slot instead, us
--   its number among the page's slots of ten seconds, as charge_rates gave it; 0: not known
--
-- Returns for each message {'ok'}, or {'error', text} as each says.
--
-- Invariant: of several messages that one stall made late, the latest counts, not their sum: each limit's last slot is as
-- many whole intervals behind the new time as it was behind the slot, or stays where it is. Time in which no slot was taken, or by
-- which the slots were moved before, is no such interval: there are no more of them than slots were taken since.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local views, moved = {}, {}

local function note(message)
  local line, id, slot, left, number = unpack(message)
  local page, lane, side = parse_line(line)
  views[page] = views[page] or look(ARGV[1], page, now)
  local v = views[page]
  local since = taken_since(v, tonumber(slot), tonumber(number))
  for _, name in ipairs(limits_of(lane, side, class_of(id))) do
    local every = v.every[name]
    if every > 0 then
      local taken = math.min(since, math.floor((v.last[name] - slot) / every + 0.001))
      if left + taken * every > v.last[name] then
        v.last[name], moved[page] = left + taken * every, true
      end
    end
  end
  local recipient = recipient_of(id)
  if recipient and v.thread > 0 then
    redis.call('ZADD', KEYS[1], 'GT', string.format('%.0f', left + v.thread), page .. ':' .. recipient)
  end
  return {'ok'}
end

local answers = each(jobs_of(2, 5), note)
for page in pairs(moved) do
  save_slots(ARGV[1], page, views[page], now)
end
return answers
