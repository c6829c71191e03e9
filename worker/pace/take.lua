-- take hands out the jobs that may be sent next: of the line that is due first the head, and those behind it, each with the slot
-- at which it goes out. It stands in for asynq's dequeue script (asynq v0.26.0, internal/rdb/rdb.go, dequeueCmd) and leaves tasks in
-- the same state as that does: in the active list, with a lease.
--
-- KEYS[1] asynq:{q}:pending      tasks that did not come from a line
-- KEYS[2] asynq:{q}:paused       exists while an operator has paused the asynq queue
-- KEYS[3] asynq:{q}:active
-- KEYS[4] asynq:{q}:lease
-- KEYS[5] asynq:{q}:groups       names of the lines
-- KEYS[6] sendpace:{q}:due       line -> the earliest time, in us, that it is worth a look
-- KEYS[7] sendpace:{q}:busy      recipient -> id of the job that goes before all others to it
-- KEYS[8] sendpace:{q}:pause:app
-- KEYS[9] sendpace:{q}:lookout   id of the worker that polls while the others stand by, and until when, in us; and the channel on
--                                which it says each time that it goes on
-- KEYS[10] sendpace:{q}:looked   when, in us, a worker looked last for what came beside the lines
-- ARGV[1] lease expiry, unix seconds
-- ARGV[2] asynq:{q}:t:           prefix of the task hashes
-- ARGV[3] asynq:{q}:g:           prefix of the lines
-- ARGV[4] sendpace:{q}:          prefix of our keys
-- ARGV[5] lead, us               how far ahead of now a slot may be handed out
-- ARGV[6] id of the asking worker
-- ARGV[7] us since the last look beside the lines from which on there is another one; 0: look; -1: do not
-- ARGV[8] how many jobs are wanted at most
-- ARGV[9] 1: the worker has no more places than that
-- ARGV[10] lookout's time to live, ms
-- ARGV[11] pages that have their share of the worker's places, with a space before each
-- ARGV[12] us that the first slot may be ahead: a worker that asks earlier gets nothing, so that one call is good for several slots
--
-- Returns {now, verb, wait, ...}   five values for each job: id, message, line, slot, the slot's number. Its slot is taken. The verb
--                                  says when to ask again:
--         'again'    at once
--         'lookout'  in wait us (-1: nothing is waiting): the worker is to look out for what comes
--         'standby'  in wait us, unless that worker goes on: another one looks out
--         'task'     at once; the job is one that no line could be told of, and is subject to no limit yet
-- All times are the server's, in us.
--
-- Invariant: two slots of a limit are never closer than its interval, and all limits of a job are charged together or none. A
-- slot is the latest of now and the limits' next free slots, so that what was not used in the past is never caught up with.
-- A job is in one place before and after. Of the jobs of a line and its side lines to one recipient the earliest is handed out
-- first, and the next one, of any line, when it has ended. An answer goes before bulk jobs that were never handed out, and any job
-- before those of a broadcast that does not send. No slot of a bulk lane is left unused because the line whose share it was could not
-- use it.

local ready = now + ARGV[12]

-- How long it is remembered when a worker looked last, in ms: a fleet may have been down when the clock went back.
local LOOKED = 86400 * 1000

-- A line that waits for others of its lane is due later than they by some us, less than this.
local WAITED = 1000

-- know_dues makes known when lines are due, false for one that is not: where a time up to slot, or with all any time, is not known
-- yet.
local function know_dues(names, slot, all)
  if slot <= known and not all or known == math.huge then
    return
  end
  for _, name in ipairs(names) do
    if dues[name] == nil then
      local list = redis.call('ZMSCORE', KEYS[6], unpack(names))
      for i, other in ipairs(names) do dues[other] = tonumber(list[i]) or false end
      return
    end
  end
end

-- lines_before lists the lines that go before a line at the same page: realtime before bulk, the side lines of a lane, whose jobs
-- were first, before its line, and private replies, which can be media too, before media.
local function lines_before(page, lane, side)
  local first, own = page .. ':realtime', page .. ':' .. lane
  local names = lane == 'bulk' and {first, first .. ':media', first .. ':reply', first .. ':later'} or {}
  local n = #names
  if not side then
    names[n + 1], names[n + 2], names[n + 3] = own .. ':media', own .. ':reply', own .. ':later'
  elseif side == 'media' then
    names[n + 1] = own .. ':reply'
  end
  return names
end

-- ahead returns the latest due time, up to slot, of the lines before one, and of those that share the bulk lane's pace with it whose
-- pass is lower. Of these it forgets the ones that are gone.
local function ahead(q, slot, shares)
  if not dues then read_dues() end
  if not shares and known == math.huge and next(dues) == q.line and not next(dues, q.line) then
    return nil -- there is no other line
  end
  q.before = q.before or lines_before(q.page, q.lane, q.side)
  local names, lanes = q.before, #q.before
  if shares and shares.pass[q.line] then
    names = {unpack(q.before)}
    for other in pairs(shares.pass) do
      if pass_of(shares, other) < pass_of(shares, q.line) then table.insert(names, other) end
    end
  end
  know_dues(names, slot, #names > lanes)
  local latest
  for i, name in ipairs(names) do
    local due, by = dues[name], i > lanes and slot + WAITED or slot
    if due and due <= by then latest = math.max(latest or 0, due) end
    if not due and i > lanes then shares.pass[name] = nil end
  end
  return latest
end

-- turn returns the slot at which a line is to hand out its next job. Where it may not hand out one by the horizon it says when it
-- is worth a look again; where the whole app stands still it returns how long that lasts.
local function turn(q, v)
  if v.app_paused or v.paused or v.adapts then
    local stands, wait = seldom().stands(q, v)
    if stands then return nil, wait end
  end
  local slot = next_slot(v, q.names, now)
  if q.broadcast then
    slot = seldom().opening(q, slot)
    if not slot then return nil end
  end
  if slot <= horizon and (v.budget > 0 or v.app_budget > 0) then
    slot = seldom().rooms(ARGV[4], q.page, v, slot)
  end
  if slot > horizon then
    -- A share that rises brings the slot forward.
    set_due(q.line, look_at(v, v.share < 1 and math.min(slot, horizon + CHANGING) or slot))
    return nil
  end
  local first = ahead(q, slot, v.shares)
  if first then
    set_due(q.line, first + 1)
    return nil
  end
  return slot
end

-- hand_out takes a job out of its line, for the asking worker.
local function hand_out(q, v, job, slot, names)
  local text = string.format('%.0f', slot)
  leave('ids', job.id)
  leave('leases', ARGV[1], job.id)
  if job.field and v.thread > 0 and not job.spaces then
    leave('threads', string.format('%.0f', slot + v.thread), job.field)
  end
  activate(job.id, q.side and seldom().home_of(q.line, job.id, job.msg) or q.line)
  local number = charge_rates(v, names, slot)
  if v.adapts or v.budget > 0 or v.app_budget > 0 then
    seldom().charge_rest(ARGV[4], q.page, v, slot, now, job.id)
  end
  if q.broadcast or v.shares then
    seldom().use_turn(ARGV[4], q.page, v.shares, q.line, q.broadcast, slot)
  end
  local n = 5 * handed
  handed = handed + 1
  jobs[n + 1], jobs[n + 2], jobs[n + 3], jobs[n + 4], jobs[n + 5] = job.id, job.msg, q.line, text, string.format('%d', number)
end

-- visit hands out the jobs of a line that may go by the horizon, as many as there are places, and says when the line is worth a
-- look again. Where the whole app stands still it returns how long.
local function visit(line, page, lane, side, broadcast)
  local v, before = view(page), handed
  local names = limits_of(lane, side)
  local q = {
    line = line, page = page, lane = lane, side = side, group = ARGV[3] .. line, names = names, of_class = {['-'] = names},
  }
  if broadcast or v.shares then
    v.shares = seldom().join(ARGV[4], page, line, broadcast, v.shares)
    q.broadcast = seldom().read_once(broadcast)
  end
  local slot, wait, job, its_slot, its_limits
  repeat
    job, slot, wait = nil, turn(q, v)
    if slot then job, its_slot, its_limits = pick(q, v, slot) end
    if job then hand_out(q, v, job, its_slot, its_limits) end
  until not job or handed == most or v.shares and v.shares.pass[line] -- where lines share, the turn is another one's then
  if job then
    local b = q.broadcast
    set_due(line, look_at(v, math.max(next_slot(v, q.names, now), b and b.last + b.every or 0)))
  end
  flush(q.group)
  if handed > before then save_slots(ARGV[4], page, v, now) end
  return wait
end

-- hand_out_due goes through the lines that are due. Where the whole app stands still it returns how long.
local function hand_out_due()
  local line, due = first_due()
  if not line or due > ready then
    return nil
  end
  while line and due <= horizon and handed < most and budget > 0 do
    budget = budget - 1
    local page, lane, side, broadcast = parse_line(line)
    local wait = visit(line, page, lane, side, broadcast)
    if wait then
      return wait
    end
    line, due = first_due()
  end
end

-- idle says how long to wait, to the lookout; the others stand by until its key is gone, a millisecond after its time, and not longer
-- than a lookout's time, should the clock have gone back a little. A worker that passed lines does not look out for them.
local function idle(lookout, till, wait)
  local life = ARGV[10] * 1000
  local last = (tonumber(till) or now) - now
  if left then
    seldom().hand_on(lookout)
  elseif lookout and lookout ~= ARGV[6] then
    return 'standby', string.format('%.0f', math.max(0, math.min(last, life)) + 2000)
  elseif last < life / 2 then
    redis.call('SET', KEYS[9], ARGV[6] .. string.format(' %.0f', now + life), 'PX', ARGV[10])
    redis.call('PUBLISH', KEYS[9], ARGV[6])
  end
  return 'lookout', string.format('%.0f', wait)
end

-- look_beside looks for what came beside the lines: pending tasks, and lines that asynq's clients made. It returns a task that has
-- no line.
local function look_beside()
  redis.call('SET', KEYS[10], stamp, 'PX', LOOKED)
  local id, msg = redis.call('RPOP', KEYS[1]), nil
  if id then
    id, msg = seldom().route_pending(id)
  end
  if not id and redis.call('ZCARD', KEYS[6]) ~= redis.call('SCARD', KEYS[5]) then
    seldom().sync_lines(KEYS[5], KEYS[6], stamp)
    dues = nil
  end
  return id, msg
end

-- What most calls need to know of the page whose line is due first they read in one command with what they all do.
local page = parse_line(read_dues() or '')
local keys = page_keys(ARGV[4], page)
local n = #keys
keys[n + 1], keys[n + 2], keys[n + 3] = KEYS[2], KEYS[9], KEYS[10]
already[page] = redis.call('MGET', unpack(keys))
local halted, holder, looked = unpack(already[page], n + 1)
local lookout, till = string.match(holder or '', '^(%S+) ?(%d*)$')
if halted then
  return {stamp, idle(lookout, till, -1)}
end
for full in string.gmatch(ARGV[11], '%S+') do
  passed[full] = true
end
local age = now - (tonumber(looked) or 0)
if age < -SET_BACK then
  seldom().turn_all_back(ARGV[4], KEYS[6], -age, now)
  redis.call('SET', KEYS[10], stamp, 'PX', LOOKED)
  already, dues, lookout, till = {}, nil, nil, nil
end
if ARGV[7] ~= '-1' and (age >= tonumber(ARGV[7]) or age < 0) then
  local id, msg = look_beside()
  if id then
    if ARGV[8] == '1' and ARGV[9] == '1' then seldom().hand_on(lookout) end
    return {stamp, 'task', '0', id, msg, '', '0', '0'}
  end
end

local wait = hand_out_due()
local verb
if handed == most and ARGV[9] == '1' then
  seldom().hand_on(lookout)
  verb, wait = 'again', '0'
elseif wait then
  verb, wait = idle(lookout, till, wait)
else
  local line, due = first_due()
  if line and due <= ready then
    verb, wait = 'again', '0'
  else
    verb, wait = idle(lookout, till, line and due - ready or -1)
  end
end
return {stamp, verb, wait, unpack(jobs)}
