-- broadcasts is put before every other script of this package, after lib. It holds when a broadcast may send, and how the lines
-- of a page's bulk lane share its pace where broadcasts are among them.

-- How long it is remembered how the lines of a page share its pace, in ms: longer than a pause lasts, for look_again finds them there.
local SHARES_TTL = 2 * 86400 * 1000

-- whole reads a whole number, 0 for what is none.
local function whole(text)
  return tonumber(string.match(text or '', '^%d+$') or 0)
end

-- read_broadcast reads how a broadcast is to be sent, in one command. Of one that nobody set up all is as by default: it runs.
local function read_broadcast(key)
  local h = redis.call('HMGET', key, 'state', 'start', 'window', 'every', 'last', 'weight')
  return {
    key = key, state = h[1] or 'running', start = whole(h[2]), window = h[3], every = whole(h[4]), last = whole(h[5]),
    weight = math.max(1, math.min(whole(h[6]), 100)),
  }
end

-- offset_at returns the offset from UTC at a time, in seconds, and when it changes next: never after the last change that is known.
local function offset_at(zone, seconds)
  local offset = zone[3]
  for i = 4, #zone - 1, 2 do
    if zone[i] > seconds then
      return offset, zone[i]
    end
    offset = zone[i + 1]
  end
  return offset, math.huge
end

-- in_window returns the first time from at on, in us, that is inside of a daily window: its begin and end in seconds of the local
-- day, the offset from UTC, and changes of it, each with its time before it. A window that ends before it begins goes over midnight.
-- It returns nil for what is no window.
local function in_window(window, at)
  local zone = {}
  for number in string.gmatch(window, '%-?%d+') do
    table.insert(zone, tonumber(number))
  end
  local from, to = zone[1], zone[2]
  if not zone[3] then
    return nil
  end
  for _ = 1, #zone do -- once, and once more for each change of the offset before the window opens
    local seconds = math.floor(at / 1000000)
    local offset, change = offset_at(zone, seconds)
    local s = (seconds + offset) % 86400
    if from < to and s >= from and s < to or from >= to and (s >= from or s < to) then
      return at
    end
    at = math.min(seconds + (from - s) % 86400, change) * 1000000
  end
end

-- opens returns the first time from at on, in us, at which a broadcast may send. It returns nil where a person decides that, or
-- what settles the last job of its test share.
local function opens(b, at)
  if b.state ~= 'running' and b.state ~= 'testing' then
    return nil
  end
  at = math.max(at, b.start)
  if not b.window then
    return at
  end
  return in_window(b.window, at)
end

-- read_shares reads how far the lines of a page's bulk lane have come with their parts of the pace. Where no broadcast is among
-- them there is nothing to read, and the pace is one line's.
--
-- Each send of a line moves its pass on by 1/weight, and the line whose pass is the lowest goes first. now is the pass at which the
-- last one went: a line whose own is lower comes anew, or could not go for a while. It starts there, and has nothing to catch up with.
local function read_shares(text)
  if not text then
    return nil
  end
  local shares = {now = tonumber(string.match(text, '^%S+')) or 0, pass = {}}
  for line, pass in string.gmatch(text, ' (%S+) (%S+)') do
    shares.pass[line] = tonumber(pass) or 0
  end
  return shares
end

-- save_shares forgets them where no broadcast is left.
local function save_shares(prefix, page, shares)
  local text, shared = string.format('%.6f', shares.now), false
  for line, pass in pairs(shares.pass) do
    text = text .. ' ' .. line .. ' ' .. string.format('%.6f', pass)
    shared = shared or line ~= page .. ':bulk'
  end
  if shared then
    redis.call('SET', prefix .. 'shares:' .. page, text, 'PX', SHARES_TTL)
  else
    redis.call('DEL', prefix .. 'shares:' .. page)
  end
end

-- join lets a line share from now on, if it is that of a broadcast, or the lane's where there is one. It returns what the page's
-- lines share, nil for nothing. Lines that are gone are forgotten then: a page may have a broadcast of a few jobs each day.
local function join(prefix, page, line, broadcast, shares)
  if not broadcast and not (shares and line == page .. ':bulk') then
    return shares
  end
  shares = shares or {now = 0, pass = {}}
  if not shares.pass[line] then
    for other in pairs(shares.pass) do
      if not redis.call('ZSCORE', prefix .. 'due', other) then shares.pass[other] = nil end
    end
    shares.pass[line] = shares.now
    save_shares(prefix, page, shares)
  end
  return shares
end

-- pass_of is the pass at which a line goes next.
local function pass_of(shares, line)
  return math.max(shares.pass[line], shares.now)
end

-- use_turn is for a line that a job left at a slot: what it has of the page's pace is used. b is its broadcast, nil for none. A
-- message that leaves later than its slot does not move the broadcast's own pace: that is no limit of the platform's.
local function use_turn(prefix, page, shares, line, b, slot)
  if b and b.every > 0 then
    b.last = slot
    redis.call('HSET', b.key, 'last', string.format('%.0f', slot))
  end
  if shares and shares.pass[line] then
    shares.now = pass_of(shares, line)
    shares.pass[line] = shares.now + 1 / (b and b.weight or 1)
    save_shares(prefix, page, shares)
  end
end
