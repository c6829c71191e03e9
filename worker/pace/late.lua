-- late moves the next slots of a page after a message that left later than its slot, so that what follows keeps its
-- distance to when the message was really sent.
--
-- KEYS[1] sendpace:{q}:rates
-- ARGV[1] sendpace:{q}:
-- ARGV[2] line
-- ARGV[3] the message's slot, us
-- ARGV[4] the time that counts as its slot instead, us
--
-- Returns 1.
--
-- Invariant: of several messages that one stall made late, the latest counts, not their sum: each limit's next free slot is
-- as many whole intervals behind the new time as it was behind the slot, or stays where it is.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local page, lane, media = parse_line(ARGV[2])
local state, every = load_slots(ARGV[1], page), intervals(KEYS[1], page)
local slot, left = tonumber(ARGV[3]), tonumber(ARGV[4])

local function move(limit)
  local taken = math.floor((state[limit] - slot) / every[limit] + 0.001)
  state[limit] = math.max(state[limit], left + taken * every[limit])
end

move('page')
if lane == 'bulk' then move('bulk') end
if media then move('media') end
save_slots(ARGV[1], page, state, now)
return 1
