-- take hands out the next job that may be sent: the head of the line that is due first, with the slot at which it goes
-- out. It stands in for asynq's dequeue script (asynq v0.26.0, internal/rdb/rdb.go, dequeueCmd) and leaves a task in the
-- same state as that does: in the active list, with a lease.
--
-- KEYS[1] asynq:{q}:pending      tasks that did not come from a line
-- KEYS[2] asynq:{q}:paused       exists while an operator has paused the asynq queue
-- KEYS[3] asynq:{q}:active
-- KEYS[4] asynq:{q}:lease
-- KEYS[5] asynq:{q}:groups       names of the lines
-- KEYS[6] sendpace:{q}:due       line -> the earliest time, in us, that it is worth a look
-- KEYS[7] sendpace:{q}:busy      recipient -> id of the job that goes before all others to it
-- KEYS[8] sendpace:{q}:pause:app
-- KEYS[9] sendpace:{q}:lookout   id of the worker that polls while the others stand by
-- ARGV[1] lease expiry, unix seconds
-- ARGV[2] asynq:{q}:t:           prefix of the task hashes
-- ARGV[3] asynq:{q}:g:           prefix of the lines
-- ARGV[4] sendpace:{q}:          prefix of our keys
-- ARGV[5] lead, us               how far ahead of now a slot may be handed out
-- ARGV[6] id of the asking worker
-- ARGV[7] 1: look also for pending tasks and new lines
-- ARGV[8] 1: this is the worker's last free place
-- ARGV[9] lookout's time to live, ms
-- ARGV[10] pages that have their share of the worker's places, with a space before each
--
-- Returns {now, 'job', id, message, line, slot, verb, wait}   a job from a line; its slot is taken. verb and wait are what the
--                                         next question would be answered, if it is not another job: asking can wait as long
--         {now, 'task', id, message}      a task from pending that no line could be told of; subject to no limit yet
--         {now, 'lookout', wait}          nothing to do for wait us (-1: nothing is waiting); asks again then
--         {now, 'standby', 0}             nothing to do, and another worker is looking
--         {now, 'again', 0}               not finished; ask again at once
-- All times are the server's, in us.
--
-- Invariant: two slots of a limit are never closer than its interval, and all limits of a job are charged together or none. A
-- slot is the latest of now and the limits' next free slots, so that what was not used in the past is never caught up with.
-- A job is in one place before and after. Of the jobs of a line and its side lines to one recipient the earliest is handed out
-- first, and the next one, of any line, when it has ended. An answer goes before bulk jobs that were never handed out, and any job
-- before those of a broadcast that does not send. No slot of a bulk lane is left unused because the line whose share it was could not
-- use it.

local budget = 200 -- lines and jobs looked at in one call
local routes = 50 -- pending tasks that are brought to their lines in one call

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local horizon = now + ARGV[5]
local passed = false -- a line that is due was left to other workers
local broadcasts = {} -- those that were read in this call, by id

-- activate puts a job into the asking worker's hand. The owner is the token of the hand: only who has it may send, or end the
-- job. The line, where there is one, is where it goes back to.
local function activate(id, line, msg)
  -- With an empty group asynq's forwarder brings a retried task to pending, not to the end of its line.
  local fields = {'state', 'active', 'group', '', 'owner', ARGV[6] .. ':' .. stamp}
  if line then
    fields[7], fields[8] = 'line', home_of(line, id, msg)
  end
  redis.call('HSET', ARGV[2] .. id, unpack(fields))
  redis.call('ZADD', KEYS[4], ARGV[1], id)
end

-- hand_on lets another worker look out.
local function hand_on()
  if redis.call('GET', KEYS[9]) == ARGV[6] then
    redis.call('DEL', KEYS[9])
    redis.call('PUBLISH', ARGV[4] .. 'wake', '')
  end
end

-- idle says how long to wait, to the lookout; the others stand by.
local function idle(wait)
  if passed then
    hand_on()
    return 'lookout', string.format('%.0f', wait)
  end
  local holder = redis.call('GET', KEYS[9])
  if holder and holder ~= ARGV[6] then
    return 'standby', '0'
  end
  redis.call('SET', KEYS[9], ARGV[6], 'PX', ARGV[9])
  return 'lookout', string.format('%.0f', wait)
end

-- time_left is how long a pause lasts, in us. PTTL drops what is less than a millisecond.
local function time_left(key)
  local left = redis.call('PTTL', key)
  return left < 0 and IDLE_LINE or (left + 1) * 1000
end

-- A line is visited a lead before it is due. not_before is for what must not be visited before that time.
local function not_before(line, time)
  redis.call('ZADD', KEYS[6], string.format('%.0f', time + ARGV[5]), line)
end

-- look_at is when to look at a line of a page whose next slot is at a time: sooner where a temporary rate ends before, which may
-- bring the slot forward. (A lead after the end, as a line is visited a lead before it is due.)
local function look_at(v, time)
  return math.min(time, v.ends + ARGV[5])
end

-- enter puts a job into a line that takes notice of it at a time.
local function enter(line, id, score, time)
  redis.call('ZADD', ARGV[3] .. line, score, id)
  redis.call('SADD', KEYS[5], line)
  redis.call('ZADD', KEYS[6], 'LT', string.format('%.0f', time), line)
  redis.call('HSET', ARGV[2] .. id, 'state', 'aggregating', 'group', line)
end

-- route_pending brings pending tasks to their lines: to the head those that were handed out before, or that an operator wants
-- now, which asynq's hash shows by a group; to the tail those that were scheduled. It returns a task that has no line.
local function route_pending()
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
      activate(id)
      redis.call('HDEL', ARGV[2] .. id, 'pending_since')
      return id, msg
    end
  end
end

-- first_parked returns the first job, and its score, of those that stepped aside for another one to their recipient.
local function first_parked(page, recipient)
  return unpack(redis.call('ZRANGE', ARGV[4] .. 'parked:' .. page .. ':' .. recipient, 0, 0, 'WITHSCORES'))
end

-- give_way lets the answers that stepped aside for a bulk job in a later line go first once that waits for something longer.
-- Where a job was handed out before, they wait.
local function give_way(page, lane, line, recipient, id, score)
  local first, at = first_parked(page, recipient)
  if lane == 'bulk' and first and tonumber(at) < PARKED and redis.call('HEXISTS', ARGV[2] .. id, 'line') == 0 then
    park(ARGV[3] .. line, ARGV[4], line, page, recipient, id, score)
    free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient, stamp)
  end
end

-- step_aside moves a job that is held up by what others of its line are not into a side line. It returns false if the job is
-- where it belongs.
local function step_aside(v, page, lane, side, recipient, id, score, slot, why)
  local class = class_of(id)
  local to = why == 'thread' and 'later' or (class == 'r' or class == 'b') and 'reply' or 'media'
  if to == side then
    return false
  end
  if to == 'later' then
    score = string.format('%.6f', slot / 1e6)
  elseif side == 'later' then
    score = 0
  end
  local line = page .. ':' .. lane .. ':' .. to
  enter(line, id, score, look_at(v, slot))
  if side == 'later' then
    give_way(page, lane, line, recipient, id, score)
  end
  return true
end

-- read_once reads a broadcast, nil for none.
local function read_once(id)
  if id and not broadcasts[id] then
    broadcasts[id] = read_broadcast(ARGV[4] .. 'broadcast:' .. id)
  end
  return broadcasts[id or '']
end

-- rests is true if a line is that of a broadcast that does not send now.
local function rests(line)
  local _, _, _, broadcast = parse_line(line)
  return broadcast and opens(read_once(broadcast), now) ~= now
end

-- stays_home brings a job back from a side line whose broadcast does not send any more.
local function stays_home(line, side, id, msg)
  local home = side and home_of(line, id, msg)
  if not home or not rests(home) then
    return false
  end
  enter(home, id, 0, now)
  return true
end

-- let_go hands the claim of a job, and of those that have it next and do not send either, to the first one that does. They step
-- aside for that one; where there is none they wait in their lines without a claim.
local function let_go(line, page, id)
  local recipient = recipient_of(id)
  local holder = recipient and redis.call('HGET', KEYS[7], page .. ':' .. recipient)
  if holder ~= id then
    redis.call('ZADD', ARGV[3] .. line, RELEASED, id)
    return
  end
  local resting = {}
  repeat
    table.insert(resting, {line = line, id = holder})
    free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient, stamp)
    holder = redis.call('HGET', KEYS[7], page .. ':' .. recipient)
    line = holder and redis.call('HGET', ARGV[2] .. holder, 'group') or ''
  until not holder or not rests(line)
  for _, job in ipairs(resting) do
    if holder then
      park(ARGV[3] .. job.line, ARGV[4], job.line, page, recipient, job.id, 0)
    else
      redis.call('ZADD', ARGV[3] .. job.line, RELEASED, job.id)
    end
  end
end

-- stand leaves the line of a broadcast alone that does not send until a time. Its jobs that came back let go of their recipients.
local function stand(line, page, time)
  redis.call('ZADD', KEYS[6], string.format('%.0f', time), line)
  local most = 50
  local back = redis.call('ZRANGE', ARGV[3] .. line, 0, 0, 'BYSCORE', 'LIMIT', 0, most)
  for _, id in ipairs(back) do
    budget = budget - 1
    if redis.call('ZSCORE', ARGV[3] .. line, id) == '0' then -- it may have gone with one before
      let_go(line, page, id)
    end
  end
  if #back == most then
    redis.call('ZADD', KEYS[6], stamp, line)
  end
end

-- goes_first gives the claim of a recipient that a bulk job holds which still waits and was never handed out to an answer: that
-- one steps aside. In a later line it does not: its place there is a time, and the wait is short. Of several answers, some of
-- which stepped aside in that time, the earliest gets the claim. It returns false where the asking one has to wait.
local function goes_first(page, lane, recipient, id, score)
  local field = page .. ':' .. recipient
  local holder = redis.call('HGET', KEYS[7], field)
  local state, line, before = unpack(redis.call('HMGET', ARGV[2] .. holder, 'state', 'group', 'line'))
  if lane ~= 'realtime' or state ~= 'aggregating' or before then
    return false
  end
  local its_page, its_lane, side = parse_line(line)
  local its_score = redis.call('ZSCORE', ARGV[3] .. line, holder)
  if its_page ~= page or its_lane ~= 'bulk' or side == 'later' or not its_score then
    return false
  end
  park(ARGV[3] .. line, ARGV[4], line, page, recipient, holder, tonumber(its_score))
  local first, at = first_parked(page, recipient)
  if tonumber(at) < score or tonumber(at) == score and first < id then
    free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient, stamp)
    return false
  end
  redis.call('HSET', KEYS[7], field, id)
  return true
end

-- pick takes the first job that may go out by the horizon out of a line, and claims its recipient. Jobs whose recipient is busy,
-- and those that a limit of their own holds up, step aside. Where lines share the lane's pace, that is the line's turn: it would bring
-- all its jobs into the side lines else, which go before the other lines. b is the line's broadcast, turn the slot of its turn.
local function pick(line, page, lane, side, v, b, turn)
  local group = ARGV[3] .. line
  while budget > 0 do
    budget = budget - 1
    local id, score = unpack(redis.call('ZPOPMIN', group))
    if not id then
      redis.call('SREM', KEYS[5], line)
      redis.call('ZREM', KEYS[6], line)
      return nil
    end
    local parked = tonumber(score) >= PARKED
    if parked or b and b.state == 'testing' and tonumber(score) > TEST then
      redis.call('ZADD', group, score, id)
      not_before(line, now + (parked and PARKED_LINE or IDLE_LINE))
      return nil
    end
    local msg, recipient = redis.call('HGET', ARGV[2] .. id, 'msg'), recipient_of(id)
    if msg and stays_home(line, side, id, msg) then
      -- It waits in its own line now.
    elseif msg and not claim(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient, id, stamp)
        and not goes_first(page, lane, recipient, id, tonumber(score)) then
      park(group, ARGV[4], line, page, recipient, id, tonumber(score))
    elseif msg then
      local names = limits_of(lane, side, class_of(id))
      local slot, why = next_slot(v, names, now)
      slot = math.max(slot, turn)
      local free_at = thread_free(ARGV[4], page, v, recipient)
      if free_at > slot then
        slot, why = free_at, 'thread'
      end
      if slot <= horizon then
        return {id = id, msg = msg, names = names, recipient = recipient, slot = slot}
      end
      if not step_aside(v, page, lane, side, recipient, id, score, slot, why) then
        redis.call('ZADD', group, score, id)
        redis.call('ZADD', KEYS[6], string.format('%.0f', look_at(v, slot)), line)
        return nil
      elseif v.shares and v.shares.pass[line] then
        use_turn(ARGV[4], page, v.shares, line, b, turn)
        redis.call('ZADD', KEYS[6], string.format('%.0f', math.max(turn, b and b.last + b.every or 0)), line)
        return nil
      end
    end
  end
  return nil
end

-- A line that waits for others of its lane is due later than they by some us, less than this.
local WAITED = 1000

-- ahead returns the latest due time, up to slot, of the lines that go before a line at the same page: realtime before bulk, the
-- side lines of a lane, whose jobs were first, before its line, private replies, which can be media too, before media, and of those
-- that share the bulk lane's pace the ones whose pass is lower. Of these it forgets the ones that are gone.
local function ahead(line, page, lane, side, slot, shares)
  local names = {}
  for _, s in ipairs({'', ':media', ':reply', ':later'}) do
    if lane == 'bulk' then table.insert(names, page .. ':realtime' .. s) end
    if not side and s ~= '' or side == 'media' and s == ':reply' then table.insert(names, page .. ':' .. lane .. s) end
  end
  local lanes = #names
  for other in pairs(shares and shares.pass[line] and shares.pass or {}) do
    if pass_of(shares, other) < pass_of(shares, line) then table.insert(names, other) end
  end
  local latest
  if #names > 0 then
    for i, due in ipairs(redis.call('ZMSCORE', KEYS[6], unpack(names))) do
      local by = i > lanes and slot + WAITED or slot
      if due and tonumber(due) <= by then latest = math.max(latest or 0, tonumber(due)) end
      if not due and i > lanes then shares.pass[names[i]] = nil end
    end
  end
  return latest
end

-- visit hands out a job of a line that is due, or moves the line to when it is worth a look again. Where the whole app stands
-- still it returns how long.
local function visit(line, page, lane, side, broadcast)
  local v = look(ARGV[4], page, now)
  v.shares = join(ARGV[4], page, line, broadcast, v.shares)
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
  local names, b = limits_of(lane, side), read_once(broadcast)
  local slot = next_slot(v, names, now)
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
    local time = look_at(v, v.share < 1 and math.min(slot, horizon + CHANGING) or slot)
    redis.call('ZADD', KEYS[6], string.format('%.0f', time), line)
    return nil
  end
  local first = ahead(line, page, lane, side, slot, v.shares)
  if first then
    redis.call('ZADD', KEYS[6], string.format('%.0f', first + 1), line)
    return nil
  end
  local job = pick(line, page, lane, side, v, b, slot)
  if job then
    redis.call('LPUSH', KEYS[3], job.id)
    activate(job.id, line, job.msg)
    charge(ARGV[4], page, v, job.names, job.recipient, job.slot, now)
    use_turn(ARGV[4], page, v.shares, line, b, job.slot)
    local free_at = math.max(next_slot(v, names, now), b and b.last + b.every or 0)
    redis.call('ZADD', KEYS[6], string.format('%.0f', look_at(v, free_at)), line)
  end
  return job
end

-- after says what there is to do for this worker after the job that it gets.
local function after()
  if ARGV[8] == '1' then
    hand_on()
    return 'again', '0'
  end
  local first = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
  if first[1] and tonumber(first[2]) <= horizon then
    return 'again', '0'
  end
  return idle(first[1] and first[2] - horizon or -1)
end

if redis.call('EXISTS', KEYS[2]) == 1 then
  return {stamp, idle(-1)}
end
if ARGV[7] == '1' then
  local id, msg = route_pending()
  if id then
    if ARGV[8] == '1' then hand_on() end
    return {stamp, 'task', id, msg}
  end
  if redis.call('ZCARD', KEYS[6]) ~= redis.call('SCARD', KEYS[5]) then
    sync_lines(KEYS[5], KEYS[6], stamp)
  end
end

local from = 0
while budget > 0 do
  budget = budget - 1
  local first = redis.call('ZRANGE', KEYS[6], from, from, 'WITHSCORES')
  local line = first[1]
  if not line then
    return {stamp, idle(-1)}
  end
  if tonumber(first[2]) > horizon then
    return {stamp, idle(first[2] - horizon)}
  end
  local page, lane, side, broadcast = parse_line(line)
  if string.find(ARGV[10] .. ' ', ' ' .. page .. ' ', 1, true) then
    from, passed = from + 1, true
  else
    local job, wait = visit(line, page, lane, side, broadcast)
    if wait then
      return {stamp, idle(wait)}
    end
    if job then
      return {stamp, 'job', job.id, job.msg, line, string.format('%.0f', job.slot), after()}
    end
  end
end
return {stamp, 'again', '0'}
