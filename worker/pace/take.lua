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
-- KEYS[7] sendpace:{q}:rates     page (or 'default') -> 'page bulk media', us between two sends
-- KEYS[8] sendpace:{q}:busy      recipient -> id of the job that goes before all others to it
-- KEYS[9] sendpace:{q}:pause:app
-- KEYS[10] sendpace:{q}:lookout  id of the worker that polls while the others stand by
-- ARGV[1] lease expiry, unix seconds
-- ARGV[2] asynq:{q}:t:           prefix of the task hashes
-- ARGV[3] asynq:{q}:g:           prefix of the lines
-- ARGV[4] sendpace:{q}:          prefix of our keys
-- ARGV[5] lead, us               how far ahead of now a slot may be handed out
-- ARGV[6] id of the asking worker
-- ARGV[7] 1: look also for pending tasks and new lines
-- ARGV[8] 1: this is the worker's last free place
-- ARGV[9] lookout's time to live, ms
--
-- Returns {now, 'job', id, message, line, slot}   a job from a line; its slot is taken
--         {now, 'task', id, message}              a task from pending, subject to no limit yet
--         {now, 'lookout', wait}                  nothing to do for wait us (-1: nothing is waiting); asks again then
--         {now, 'standby', 0}                     nothing to do, and another worker is looking
--         {now, 'again', 0}                       not finished; ask again at once
-- All times are the server's, in us.
--
-- Invariant: two slots of a limit are never closer than its interval. A slot is the latest of now and the limits' next
-- free slots, so that what was not used in the past is never caught up with.

local budget = 200 -- lines and jobs looked at in one call

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local horizon = now + ARGV[5]

-- activate puts a job into the asking worker's hand. The owner is the token of the hand: only who has it may send, or end the
-- job. The line, where there is one, is where it goes back to.
local function activate(id, line)
  -- With an empty group asynq's forwarder brings a retried task to pending, not to the end of its line.
  local fields = {'state', 'active', 'group', '', 'owner', ARGV[6] .. ':' .. stamp}
  if line then
    fields[7], fields[8] = 'line', line
  end
  redis.call('HSET', ARGV[2] .. id, unpack(fields))
  redis.call('ZADD', KEYS[4], ARGV[1], id)
end

local function idle(wait)
  local holder = redis.call('GET', KEYS[10])
  if holder and holder ~= ARGV[6] then
    return {stamp, 'standby', '0'}
  end
  redis.call('SET', KEYS[10], ARGV[6], 'PX', ARGV[9])
  return {stamp, 'lookout', string.format('%.0f', wait)}
end

-- time_left is how long a pause lasts, in us. PTTL drops what is less than a millisecond.
local function time_left(key)
  local left = redis.call('PTTL', key)
  return left < 0 and IDLE_LINE or (left + 1) * 1000
end

-- hand_on lets another worker look out while this one has no place.
local function hand_on()
  if ARGV[8] == '1' and redis.call('GET', KEYS[10]) == ARGV[6] then
    redis.call('DEL', KEYS[10])
    redis.call('PUBLISH', ARGV[4] .. 'wake', '')
  end
end

if redis.call('EXISTS', KEYS[2]) == 1 then
  return idle(-1)
end
if ARGV[7] == '1' then
  local id = redis.call('RPOPLPUSH', KEYS[1], KEYS[3])
  if id then
    local msg = redis.call('HGET', ARGV[2] .. id, 'msg')
    if not msg then
      redis.call('LREM', KEYS[3], 1, id)
      return {stamp, 'again', '0'}
    end
    activate(id)
    redis.call('HDEL', ARGV[2] .. id, 'pending_since')
    hand_on()
    return {stamp, 'task', id, msg}
  end
  if redis.call('ZCARD', KEYS[6]) ~= redis.call('SCARD', KEYS[5]) then
    sync_lines(KEYS[5], KEYS[6], stamp)
  end
end

-- head finds the first job of a line whose recipient is free and claims the recipient for it. Jobs whose recipient is
-- busy step aside.
local function head(line, page)
  local group = ARGV[3] .. line
  while budget > 0 do
    budget = budget - 1
    local first = redis.call('ZRANGE', group, 0, 0, 'WITHSCORES')
    local id, score = first[1], tonumber(first[2])
    if not id then
      redis.call('SREM', KEYS[5], line)
      redis.call('ZREM', KEYS[6], line)
      return nil
    end
    if score >= PARKED then
      redis.call('ZADD', KEYS[6], string.format('%.0f', now + PARKED_LINE), line)
      return nil
    end
    local msg = redis.call('HGET', ARGV[2] .. id, 'msg')
    if not msg then
      redis.call('ZREM', group, id)
    elseif claim(KEYS[8], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient_of(id), id, stamp) then
      redis.call('ZREM', group, id)
      return id, msg
    else
      park(group, ARGV[4], line, page, recipient_of(id), id, score)
    end
  end
  return nil
end

while budget > 0 do
  budget = budget - 1
  local first = redis.call('ZRANGE', KEYS[6], 0, 0, 'WITHSCORES')
  local line = first[1]
  if not line then
    return idle(-1)
  end
  if tonumber(first[2]) > horizon then
    return idle(first[2] - horizon)
  end
  local page, lane, media = parse_line(line)
  local pause = ARGV[4] .. 'pause:' .. page
  if redis.call('EXISTS', KEYS[9], pause) > 0 then
    if redis.call('EXISTS', KEYS[9]) == 1 then
      return idle(time_left(KEYS[9]))
    end
    -- A line is visited a lead before it is due; this one must not be before the pause has ended.
    redis.call('ZADD', KEYS[6], string.format('%.0f', horizon + time_left(pause)), line)
  else
    local state = load_slots(ARGV[4], page)
    local every = intervals(KEYS[7], page)
    local slot, behind = next_slot(state, lane, media, now), false
    if lane == 'bulk' then
      -- Realtime goes first: while a realtime line of the page is due, bulk takes the slot behind it.
      local ahead = redis.call('ZMSCORE', KEYS[6], page .. ':realtime', page .. ':realtime:media')
      local due = math.min(tonumber(ahead[1]) or math.huge, tonumber(ahead[2]) or math.huge)
      if due <= slot then
        slot, behind = math.max(slot, next_slot(state, 'realtime', false, now) + every.page), true
      end
    end
    if behind or slot > horizon then
      redis.call('ZADD', KEYS[6], string.format('%.0f', slot), line)
    else
      local id, msg = head(line, page)
      if id then
        redis.call('LPUSH', KEYS[3], id)
        activate(id, line)
        charge(ARGV[4], page, state, every, lane, media, slot, now)
        redis.call('ZADD', KEYS[6], string.format('%.0f', next_slot(state, lane, media, now)), line)
        hand_on()
        return {stamp, 'job', id, msg, line, string.format('%.0f', slot)}
      end
    end
  end
end
return {stamp, 'again', '0'}
