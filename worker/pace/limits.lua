-- limits is put before every other script of this package, after lib and broadcasts. It holds what a page may send and when: the rates of
-- its lines, the spacing of a conversation, the budget of a day, and the pace that adapts below the rates.
--
-- Of each rate the last slot that was taken is kept, not the next one that is free: that follows from the interval as it is
-- now, so that a changed rate takes effect at once in both directions.

-- The order in which slots:<page> and rates:<page> list the limits.
local LIMITS = {'page', 'bulk', 'media', 'replies'}

-- A budget counts sends by quarters of an hour, and each quarter in full for as long as a part of it is less than DAY ago.
-- The minute more than a day is for what leaves later than its slot.
local QUARTER = 900 * 1000000
local DAY = 86460 * 1000000

-- After a pause one job goes ahead as a probe. If its hand has not ended after PROBE us another one is sent.
local PROBE = 120 * 1000000
-- After the probe the pace climbs for CLIMB us, from START percent, or half of where the climb began that was refused.
local CLIMB = 60 * 1000000
local START = 25
local LOWEST_START = 5
-- From SLOW_FROM percent of usage on the pace falls, to a tenth at 100. News of usage counts for NEWS us.
local SLOW_FROM = 80
local NEWS = 300 * 1000000
-- How long a line is left alone at most while its page's pace is about to change, in us.
local CHANGING = 1000000

-- read_adapt reads how the pace of a page, or of the app, adapts. stage is 'steady'; 'probe', where at is the time until which
-- a probe that is out is waited for, or 0, and probe is the id of its job; or 'climb', where at is its beginning.
local function read_adapt(text)
  if not text then
    return {stage = 'steady', at = 0, from = START, usage = 0, seen = 0, probe = ''}
  end
  local stage, at, from, usage, seen, probe = string.match(text, '^(%a+) (%d+) (%d+) (%d+) (%d+) ?(.*)$')
  return {
    stage = stage or 'steady', at = tonumber(at) or 0, from = tonumber(from) or START,
    usage = tonumber(usage) or 0, seen = tonumber(seen) or 0, probe = probe or '',
  }
end

local function save_adapt(prefix, scope, a)
  local key = prefix .. 'adapt:' .. scope
  if a.stage == 'steady' and a.usage <= SLOW_FROM then
    redis.call('DEL', key)
    return
  end
  -- What is not steady must outlive the pause, and a hold may last until somebody is back from holiday.
  local ttl = a.stage == 'steady' and NEWS / 1000 or 90 * DAY / 1000
  -- Older versions know of no probe's id, and take what has one for steady: nothing but a probe that is out has.
  local probe = a.probe ~= '' and ' ' .. a.probe or ''
  redis.call('SET', key, string.format('%s %.0f %d %d %.0f%s', a.stage, a.at, a.from, a.usage, a.seen, probe),
    'PX', string.format('%.0f', ttl))
end

local function climbing(a, now)
  return a.stage == 'climb' and now - a.at < CLIMB
end

-- share is the part of its rates that a page may use now.
local function share(a, now)
  local s = 1
  if climbing(a, now) then
    s = (a.from + (100 - a.from) * math.max(0, now - a.at) / CLIMB) / 100
  end
  if a.usage > SLOW_FROM and now - a.seen < NEWS then
    s = math.min(s, 1 - 0.9 * (math.min(a.usage, 100) - SLOW_FROM) / (100 - SLOW_FROM))
  end
  return s
end

-- read_temporary reads the intervals that a page has for a time in place of the configured ones: '<its end> <page> <bulk> <media>',
-- in us, 0 where one stays as configured. ends is the end, none where there are no such intervals.
local function read_temporary(text, now)
  local ends, page, bulk, media = string.match(text or '', '^(%d+) (%d+) (%d+) (%d+)$')
  if not ends or tonumber(ends) <= now then
    return {ends = math.huge}
  end
  return {ends = tonumber(ends), page = tonumber(page), bulk = tonumber(bulk), media = tonumber(media)}
end

-- page_keys lists the keys of all that decides about the next slot of a page.
local function page_keys(prefix, page)
  -- A group that is no line has a name of any kind; it has the rates of others.
  local rates = string.find(page, '^%d+$') and page or 'default'
  return {
    prefix .. 'pause:app', prefix .. 'pause:' .. page, prefix .. 'slots:' .. page, prefix .. 'adapt:app', prefix .. 'adapt:' .. page,
    prefix .. 'rates:' .. rates, prefix .. 'rates:default', prefix .. 'shares:' .. page, prefix .. 'temporary:' .. page,
  }
end

-- view_of makes a view of a page out of what those keys hold.
local function view_of(prefix, page, held, now)
  local paused_app, paused, slots, app, own, rates, others, shares, temporary = unpack(held)
  local page_every, bulk, media, replies, thread, budget, app_budget =
    string.match(rates or others or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) ')
  if not page_every then
    error('sendpace: no rates for page ' .. page .. ' in ' .. prefix .. 'rates:default')
  end
  local last_page, last_bulk, last_media, last_replies, span, count, before =
    string.match(slots or '', '^(%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$')
  local v = {
    app_paused = paused_app, paused = paused, adapts = app or own, app = read_adapt(app), own = read_adapt(own), share = 1,
    last = {
      page = tonumber(last_page) or 0, bulk = tonumber(last_bulk) or 0, media = tonumber(last_media) or 0,
      replies = tonumber(last_replies) or 0,
    },
    usual = {page = tonumber(page_every), bulk = tonumber(bulk), media = tonumber(media), replies = tonumber(replies)},
    span = tonumber(span) or 0, count = tonumber(count) or 0, before = tonumber(before) or 0, shares = read_shares(shares),
    thread = tonumber(thread), budget = tonumber(budget), app_budget = tonumber(app_budget), ends = math.huge,
  }
  v.every = v.usual
  if v.adapts or temporary then
    v.share = math.min(share(v.app, now), share(v.own, now))
    local for_now = read_temporary(temporary, now)
    local usual = v.usual
    v.ends, v.usual, v.every = for_now.ends, {}, {}
    for _, name in ipairs(LIMITS) do
      v.usual[name] = math.ceil(usual[name] / v.share)
      local every = for_now[name] or 0
      v.every[name] = every > 0 and math.ceil(every / v.share) or v.usual[name]
    end
  end
  return v
end

-- look reads all that decides about the next slot of a page, in one command.
local function look(prefix, page, now)
  return view_of(prefix, page, redis.call('MGET', unpack(page_keys(prefix, page))), now)
end

-- limits_of lists the rates that a job of a class is subject to in a line. Without a class, those that all jobs of the line are.
local function limits_of(lane, side, class)
  local names = {'page'}
  if lane == 'bulk' then table.insert(names, 'bulk') end
  if side == 'media' or class == 'm' or class == 'b' then table.insert(names, 'media') end
  if side == 'reply' or class == 'r' or class == 'b' then table.insert(names, 'replies') end
  return names
end

-- next_slot returns the first slot that is free in all of the limits, and the name of the one that binds: none if it is now.
local function next_slot(v, names, now)
  local slot, why = now, nil
  for _, name in ipairs(names) do
    local free_at = v.last[name] + v.every[name]
    if free_at > slot then
      slot, why = free_at, name
    end
  end
  return slot, why
end

-- room returns the time from which on a budget has room for one more send: at, if it has.
local function room(prefix, scope, budget, at)
  if budget == 0 then
    return at, 0
  end
  local found = redis.call('HGETALL', prefix .. 'budget:' .. scope)
  local first, used, oldest = math.floor((at - DAY) / QUARTER), 0, math.huge
  for i = 1, #found, 2 do
    local quarter, n = tonumber(found[i]), tonumber(found[i + 1])
    if quarter >= first and n > 0 then
      used, oldest = used + n, math.min(oldest, quarter)
    end
  end
  if used < budget then
    return at, used
  end
  return (oldest + 1) * QUARTER + DAY, used
end

-- rooms does so for the budgets of a page and of the app together, and names the one that binds.
local function rooms(prefix, page, v, at)
  local of_page, of_app = room(prefix, page, v.budget, at), room(prefix, 'app', v.app_budget, at)
  if of_app > of_page then
    return of_app, 'app budget'
  end
  return of_page, of_page > at and 'budget' or nil
end

-- spend counts n sends of a budget, -1 for one that was not made.
local function spend(prefix, scope, budget, slot, n)
  if budget == 0 then
    return
  end
  local key, quarter = prefix .. 'budget:' .. scope, math.floor(slot / QUARTER)
  if redis.call('HINCRBY', key, string.format('%.0f', quarter), n) == 1 then
    redis.call('PEXPIRE', key, string.format('%.0f', (DAY + 2 * QUARTER) / 1000))
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if tonumber(field) < math.floor((slot - DAY) / QUARTER) then
        redis.call('HDEL', key, field)
      end
    end
  end
end

local function save_slots(prefix, page, v, now)
  local last = 0
  -- What was sent at a temporary rate counts when it is over.
  for _, name in ipairs(LIMITS) do last = math.max(last, v.last[name] + math.max(v.every[name], v.usual[name])) end
  redis.call('SET', prefix .. 'slots:' .. page,
    string.format('%.0f %.0f %.0f %.0f %d %d %d', v.last.page, v.last.bulk, v.last.media, v.last.replies,
      v.span, v.count, v.before),
    'PX', string.format('%.0f', 60000 + math.max(0, math.ceil((last - now) / 1000))))
end

-- thread_free returns the time from which on the next message may go to a recipient.
local function thread_free(prefix, page, v, recipient)
  if not recipient or v.thread == 0 then
    return 0
  end
  return tonumber(redis.call('ZSCORE', prefix .. 'threads', page .. ':' .. recipient) or 0)
end

local function space_thread(prefix, page, v, recipient, slot)
  if recipient and v.thread > 0 then
    redis.call('ZADD', prefix .. 'threads', string.format('%.0f', slot + v.thread), page .. ':' .. recipient)
  end
end

-- note_send moves the stage of a pace on when a job is handed out.
local function note_send(prefix, scope, a, now, id)
  if a.stage == 'probe' then
    a.at, a.probe = now + PROBE, id
  elseif a.stage == 'climb' and not climbing(a, now) then
    a.stage = 'steady'
  else
    return
  end
  save_adapt(prefix, scope, a)
end

-- charge_rates takes a slot in the rates that a job of a page is subject to. The caller saves the slots, and spaces the recipient's
-- conversation. It returns the number of the slot among those of its ten seconds.
local function charge_rates(v, names, slot)
  for _, name in ipairs(names) do v.last[name] = slot end
  local span = math.max(v.span, math.floor(slot / 1e7)) -- one limit's slot may lie before another one's
  if span ~= v.span then
    v.before = span == v.span + 1 and v.count or 0
    v.span, v.count = span, 0
  end
  v.count = v.count + 1
  return v.count
end

-- charge_rest takes the slot in the budgets, where there are any, and moves the pace on where it adapts.
local function charge_rest(prefix, page, v, slot, now, id)
  spend(prefix, page, v.budget, slot, 1)
  spend(prefix, 'app', v.app_budget, slot, 1)
  note_send(prefix, 'app', v.app, now, id)
  note_send(prefix, page, v.own, now, id)
end

-- taken_since is how many slots of a page were taken since one with a number, as charge_rates gave it; math.huge where that is not
-- known.
local function taken_since(v, slot, number)
  local span = math.floor(slot / 1e7)
  if number == 0 or v.span < span or v.span > span + 1 then
    return math.huge
  end
  return (v.span > span and v.before or 0) + v.count - number
end

-- probing is true while a probe is out: until its hand ends nothing else is sent.
local function probing(a, now)
  return a.stage == 'probe' and now < a.at
end

-- look_again makes the lines of a page due now.
local function look_again(due, shares, page, stamp)
  local shared = read_shares(redis.call('GET', shares))
  for line in pairs(shared and shared.pass or {}) do
    redis.call('ZADD', due, 'XX', stamp, line)
  end
  for _, lane in ipairs({'realtime', 'bulk'}) do
    for _, side in ipairs({'', ':media', ':reply', ':later'}) do
      redis.call('ZADD', due, 'XX', stamp, page .. ':' .. lane .. side)
    end
  end
end

-- adapt_scope does what adapt_on_settle says for one scope, and returns true if the job was its probe. The usage that a refusal
-- names brought about the pause and ends with it: only an answer that let a call pass says how much is left. A probe that comes
-- back without a word of usage ends what was known from before the pause.
local function adapt_scope(prefix, scope, text, id, ok, usage, now)
  if not text and not (ok and usage > SLOW_FROM) then
    return false
  end
  local a = read_adapt(text)
  local heard = ok and usage >= 0 and (usage > SLOW_FROM or a.usage > SLOW_FROM)
  local back = a.stage == 'probe' and a.at > 0 and a.probe == id
  if heard then
    a.usage, a.seen = math.min(usage, 999), now
  end
  if back and ok then
    a.stage, a.at, a.probe = 'climb', now, ''
    if usage < 0 then a.usage = 0 end
  elseif back then
    a.at, a.probe = 0, ''
  end
  if heard or back then
    save_adapt(prefix, scope, a)
  end
  return back
end

-- adapt_on_settle lets the pace follow how a hand of a job ended. ok is '1' if the platform answered with anything but a limit or a
-- block; usage_page and usage_app are the percent that it named, below 0 if it named none. A page's lines are looked at again
-- when its probe is back.
local function adapt_on_settle(prefix, page, id, ok, usage_page, usage_app, now)
  local texts = redis.call('MGET', prefix .. 'adapt:app', prefix .. 'adapt:' .. page)
  adapt_scope(prefix, 'app', texts[1], id, tonumber(ok) == 1, tonumber(usage_app), now)
  if adapt_scope(prefix, page, texts[2], id, tonumber(ok) == 1, tonumber(usage_page), now) then
    look_again(prefix .. 'due', prefix .. 'shares:' .. page, page, string.format('%.0f', now))
  end
end

-- adapt_on_pause makes a probe the first thing after a pause. Lines that were left alone until an earlier probe is back wait for the
-- pause in its place.
local function adapt_on_pause(prefix, scope, now)
  local a = read_adapt(redis.call('GET', prefix .. 'adapt:' .. scope))
  if probing(a, now) then
    look_again(prefix .. 'due', prefix .. 'shares:' .. scope, scope, string.format('%.0f', now))
  end
  if climbing(a, now) then
    a.from = math.max(LOWEST_START, math.floor(a.from / 2))
  elseif a.stage ~= 'probe' then
    a.from = START
  end
  a.stage, a.at, a.probe = 'probe', 0, ''
  save_adapt(prefix, scope, a)
end
