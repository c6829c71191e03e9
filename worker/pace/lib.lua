-- lib is put before every other script of this package. It holds what they share: how a line's name, a job's id, the
-- slots of a page and the claims of recipients are read and written.

-- The score of a job in its line says where it stands: 0 for one that was handed out before and came back, asynq's time
-- of enqueueing (seconds) for one that waits, and PARKED more than that for one that stepped aside.
local PARKED = 1e10
-- How long a line with nothing to hand out is left alone, in us. What changes that looks it up sooner.
local IDLE_LINE = 60 * 1000000
-- How long a line in which all have stepped aside is left alone, in us. A job that joins it is not noticed sooner.
local PARKED_LINE = 100 * 1000

-- parse_line splits '<page>:<lane>[:media]'. A group that is no line counts as a bulk line of a page of that name.
local function parse_line(line)
  local page, lane, rest = string.match(line, '^(%d+):(%a+)(.*)$')
  if page and (lane == 'bulk' or lane == 'realtime') and (rest == '' or rest == ':media') then
    return page, lane, rest == ':media'
  end
  return line, 'bulk', false
end

-- recipient_of returns the recipient's hash in a job's id, or nil if the id is not of our making.
local function recipient_of(id)
  if #id == 35 and string.sub(id, 27, 27) == '-' then
    return string.sub(id, 28)
  end
end

-- intervals returns the us between two sends for each limit of a page.
local function intervals(rates, page)
  -- A group that is no line has a name of any kind, that of another field of the hash among them.
  local field = string.match(page, '^%d+$') or 'default'
  local r = redis.call('HMGET', rates, field, 'default')
  local a, b, c = string.match(r[1] or r[2] or '', '^(%d+) (%d+) (%d+)$')
  if not a then
    error('sendpace: no rates for page ' .. page .. ' in ' .. rates)
  end
  return {page = tonumber(a), bulk = tonumber(b), media = tonumber(c)}
end

-- load_slots returns each limit's next free slot of a page, and how many slots were taken in the current and the previous
-- ten seconds.
local function load_slots(prefix, page)
  local a, b, c, n, m, k = string.match(redis.call('GET', prefix .. 'slots:' .. page) or '0 0 0 0 0 0',
    '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  return {
    page = tonumber(a), bulk = tonumber(b), media = tonumber(c),
    span = tonumber(n), count = tonumber(m), before = tonumber(k),
  }
end

local function next_slot(state, lane, media, now)
  local slot = math.max(now, state.page)
  if lane == 'bulk' then slot = math.max(slot, state.bulk) end
  if media then slot = math.max(slot, state.media) end
  return slot
end

local function save_slots(prefix, page, state, now)
  local last = math.max(state.page, state.bulk, state.media)
  redis.call('SET', prefix .. 'slots:' .. page,
    string.format('%.0f %.0f %.0f %d %d %d', state.page, state.bulk, state.media, state.span, state.count, state.before),
    'PX', string.format('%.0f', 60000 + math.max(0, math.ceil((last - now) / 1000))))
end

-- charge takes the slot in every limit that the line is subject to.
local function charge(prefix, page, state, every, lane, media, slot, now)
  state.page = slot + every.page
  if lane == 'bulk' then state.bulk = slot + every.bulk end
  if media then state.media = slot + every.media end
  local span = math.floor(slot / 1e7)
  if span ~= state.span then
    state.before = span == state.span + 1 and state.count or 0
    state.span, state.count = span, 0
  end
  state.count = state.count + 1
  save_slots(prefix, page, state, now)
end

-- ended is true for a job that will not be sent any more, and so cannot go before another.
local function ended(tasks, id)
  local state = redis.call('HGET', tasks .. id, 'state')
  return not state or state == 'archived' or state == 'completed'
end

-- park lets a job of a line step aside until its recipient is free: it stays in the line, behind all that wait.
local function park(group, prefix, line, page, recipient, id, score)
  local _, lane = parse_line(line)
  redis.call('ZADD', group, PARKED + score, id)
  redis.call('ZADD', prefix .. 'parked:' .. page .. ':' .. recipient, (lane == 'bulk' and PARKED or 0) + score, id)
end

-- free ends the claim of a recipient, or hands it to the first job that stepped aside for it: that one goes to the head
-- of its line.
local function free(busy, due, prefix, tasks, groups, page, recipient, stamp)
  local parked = prefix .. 'parked:' .. page .. ':' .. recipient
  while true do
    local id = redis.call('ZPOPMIN', parked)[1]
    if not id then
      redis.call('HDEL', busy, page .. ':' .. recipient)
      return
    end
    local line = redis.call('HGET', tasks .. id, 'group')
    if line and redis.call('ZSCORE', groups .. line, id) then
      redis.call('HSET', busy, page .. ':' .. recipient, id)
      redis.call('ZADD', groups .. line, 0, id)
      redis.call('ZADD', due, stamp, line)
      return
    end
  end
end

-- claim makes id the job that goes before all others to its recipient. It returns false if another one does. If that one
-- has ended unseen, those that stepped aside for it come first.
local function claim(busy, due, prefix, tasks, groups, page, recipient, id, stamp)
  if not recipient then
    return true
  end
  local field = page .. ':' .. recipient
  if redis.call('HSETNX', busy, field, id) == 1 then
    return true
  end
  local holder = redis.call('HGET', busy, field)
  if holder ~= id and ended(tasks, holder) then
    free(busy, due, prefix, tasks, groups, page, recipient, stamp)
    redis.call('HSETNX', busy, field, id)
    holder = redis.call('HGET', busy, field)
  end
  return holder == id
end

-- sync_lines makes the set of lines that are due the same as asynq's set of groups, to which its enqueue script adds.
local function sync_lines(groups, due, stamp)
  local new = {}
  for _, line in ipairs(redis.call('SMEMBERS', groups)) do
    new[line] = true
  end
  for _, line in ipairs(redis.call('ZRANGE', due, 0, -1)) do
    if not new[line] then
      redis.call('ZREM', due, line)
    end
    new[line] = nil
  end
  for line in pairs(new) do
    redis.call('ZADD', due, stamp, line)
  end
end

local function starts_with(text, start)
  return string.sub(text, 1, #start) == start
end

-- sent_record is true for the outcome record of a job that was sent. The result of a task that failed once and was run
-- again by an operator is not one.
local function sent_record(record)
  local ok, o = pcall(cjson.decode, record or '')
  return ok and type(o) == 'table' and o.outcome == 'sent'
end

local function adapt_on_settle() end
