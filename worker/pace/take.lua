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

-- hand_on lets another worker look out.
local function hand_on(lookout)
  if lookout == ARGV[6] then
    redis.call('DEL', KEYS[9])
    redis.call('PUBLISH', ARGV[4] .. 'wake', '')
  end
end

-- time_left is how long a pause lasts, in us. PTTL drops what is less than a millisecond.
local function time_left(key)
  local left = redis.call('PTTL', key)
  return left < 0 and IDLE_LINE or (left + 1) * 1000
end

-- route_pending brings pending tasks to their lines: to the head those that were handed out before, or that an operator wants
-- now, which asynq's hash shows by a group; to the tail those that were scheduled. It returns a task that has no line.
local function route_pending()
  local routes = 50
  while routes > 0 do
    routes = routes - 1
    local id = redis.call('RPOP', KEYS[1])
    if not id then
      return nil
    end
    local msg, group = unpack(redis.call('HMGET', ARGV[2] .. id, 'msg', 'group'))
    local line = msg and address(msg)
    if line then
      redis.call('HDEL', ARGV[2] .. id, 'pending_since')
      enter(line, id, group and 0 or t[1], now)
    elseif msg then
      redis.call('LPUSH', KEYS[3], id)
      redis.call('ZADD', KEYS[4], ARGV[1], id)
      activate(id)
      redis.call('HDEL', ARGV[2] .. id, 'pending_since')
      return id, msg
    end
  end
end

-- A line that waits for others of its lane is due later than they by some us, less than this.
local WAITED = 1000

-- due_of lists when lines are due, false for one that is not. It asks only where a time up to slot, or with all any time, is not
-- known yet.
local function due_of(names, slot, all)
  if not dues then read_dues() end
  local list, unknown = {}, false
  for i, name in ipairs(names) do
    list[i] = dues[name] or false
    unknown = unknown or dues[name] == nil and (all or slot > known)
  end
  if unknown then
    list = redis.call('ZMSCORE', KEYS[6], unpack(names))
    for i, name in ipairs(names) do dues[name] = tonumber(list[i]) or false end
  end
  return list
end

-- lines_before lists the lines that go before a line at the same page: realtime before bulk, the side lines of a lane, whose jobs
-- were first, before its line, and private replies, which can be media too, before media.
local function lines_before(page, lane, side)
  local names = {}
  for _, s in ipairs({'', ':media', ':reply', ':later'}) do
    if lane == 'bulk' then table.insert(names, page .. ':realtime' .. s) end
    if not side and s ~= '' or side == 'media' and s == ':reply' then table.insert(names, page .. ':' .. lane .. s) end
  end
  return names
end

-- ahead returns the latest due time, up to slot, of the lines before one, and of those that share the bulk lane's pace with it whose
-- pass is lower. Of these it forgets the ones that are gone.
local function ahead(q, slot, shares)
  local names, lanes = q.before, #q.before
  if shares and shares.pass[q.line] then
    names = {unpack(q.before)}
    for other in pairs(shares.pass) do
      if pass_of(shares, other) < pass_of(shares, q.line) then table.insert(names, other) end
    end
  end
  local latest
  for i, due in ipairs(due_of(names, slot, #names > lanes)) do
    local by = i > lanes and slot + WAITED or slot
    if due and tonumber(due) <= by then latest = math.max(latest or 0, tonumber(due)) end
    if not due and i > lanes then shares.pass[names[i]] = nil end
  end
  return latest
end

-- turn returns the slot at which a line is to hand out its next job. Where it may not hand out one by the horizon it says when it
-- is worth a look again; where the whole app stands still it returns how long that lasts.
local function turn(q, v)
  local line, page, b = q.line, q.page, q.broadcast
  if v.app_paused then
    return nil, time_left(KEYS[8])
  elseif probing(v.app, now) then
    return nil, v.app.at - now
  elseif v.paused then
    not_before(line, now + time_left(ARGV[4] .. 'pause:' .. page))
    return nil
  elseif probing(v.own, now) then
    not_before(line, v.own.at) -- its answer makes the line due
    return nil
  end
  local slot = next_slot(v, q.names, now)
  if b then
    slot = math.max(slot, b.last + b.every)
    local opening = opens(b, slot)
    if opening ~= slot and (opening or math.huge) > horizon then
      stand(line, page, opening or now + IDLE_LINE)
      return nil
    end
    slot = opening
  end
  if slot <= horizon then
    slot = rooms(ARGV[4], page, v, slot)
  end
  if slot > horizon then
    -- A share that rises brings the slot forward.
    set_due(line, look_at(v, v.share < 1 and math.min(slot, horizon + CHANGING) or slot))
    return nil
  end
  local first = ahead(q, slot, v.shares)
  if first then
    set_due(line, first + 1)
    return nil
  end
  return slot
end

-- places is how many jobs of a line may go by the horizon at most, the first at a slot.
local function places(q, v, slot)
  if v.shares and v.shares.pass[q.line] then
    return 1
  end
  local every = 1
  for _, name in ipairs(q.names) do every = math.max(every, v.every[name]) end
  return math.min(most - handed, math.floor((horizon - slot) / every) + 1)
end

-- hand_out takes a job out of its line, for the asking worker.
local function hand_out(q, v, job)
  local slot = string.format('%.0f', job.slot)
  add(leaving.ids, job.id)
  add(leaving.leases, ARGV[1], job.id)
  if job.field and v.thread > 0 then
    add(leaving.threads, string.format('%.0f', job.slot + v.thread), job.field)
  end
  activate(job.id, q.side and home_of(q.line, job.id, job.msg) or q.line)
  local number = charge(ARGV[4], q.page, v, job.names, job.slot, now, job.id)
  use_turn(ARGV[4], q.page, v.shares, q.line, q.broadcast, job.slot)
  handed = handed + 1
  add(jobs, job.id, job.msg, q.line, slot, string.format('%d', number))
end

-- visit hands out the jobs of a line that may go by the horizon, as many as there are places, and says when the line is worth a
-- look again. Where the whole app stands still it returns how long.
local function visit(line, page, lane, side, broadcast)
  local v, before = view(page), handed
  v.shares = join(ARGV[4], page, line, broadcast, v.shares)
  local q = {
    line = line, page = page, lane = lane, side = side, broadcast = read_once(broadcast), group = ARGV[3] .. line,
    names = limits_of(lane, side), before = lines_before(page, lane, side), of_class = {},
  }
  local slot, wait, job
  repeat
    slot, wait = turn(q, v)
    job = slot and pick(q, v, slot, places(q, v, slot))
    if job then hand_out(q, v, job) end
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
-- than a lookout's time, should the clock have gone back. A worker that passed lines does not look out for them.
local function idle(lookout, till, wait)
  local life = ARGV[10] * 1000
  local last = (tonumber(till) or now) - now
  if left then
    hand_on(lookout)
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
  redis.call('SET', KEYS[10], stamp, 'PX', 60000)
  local id, msg = route_pending()
  if not id and redis.call('ZCARD', KEYS[6]) ~= redis.call('SCARD', KEYS[5]) then
    sync_lines(KEYS[5], KEYS[6], stamp)
  end
  return id, msg
end

local halted, holder, looked = unpack(redis.call('MGET', KEYS[2], KEYS[9], KEYS[10]))
local lookout, till = string.match(holder or '', '^(%S+) ?(%d*)$')
if halted then
  return {stamp, idle(lookout, till, -1)}
end
for page in string.gmatch(ARGV[11], '%S+') do
  passed[page] = true
end
local age = now - (tonumber(looked) or 0)
if ARGV[7] ~= '-1' and (age >= tonumber(ARGV[7]) or age < 0) then
  local id, msg = look_beside()
  if id then
    if ARGV[8] == '1' and ARGV[9] == '1' then hand_on(lookout) end
    return {stamp, 'task', '0', id, msg, '', '0', '0'}
  end
end

local wait = hand_out_due()
local verb
if handed == most and ARGV[9] == '1' then
  hand_on(lookout)
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
