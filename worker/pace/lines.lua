-- lines is put before take.lua alone, after the other shared parts. It holds how the jobs of a line are handed out, and what
-- becomes of those that may not go. KEYS and ARGV are those of take.lua.

local budget = 200 -- lines and jobs looked at in one call
local at_once = 16 -- due times read in one command

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local horizon = now + ARGV[5]
local token = ARGV[6] .. ':' .. stamp
local most = tonumber(ARGV[8])
local handed = 0
local jobs = {} -- what take returns of those that are handed out
local broadcasts = {} -- those that were read in this call, by id
local views, app = {}, nil -- of the pages that were looked at in this call, and what is known of the app
local already = {} -- what the keys of the page hold whose line was due first when the call began, by page
local passed, left = {}, false -- the pages whose lines are left to other workers, and whether one of those is due
local dues, last_due, known, skipped -- see read_dues
local leaving = {} -- what jobs have in common that leave a line; see flush

-- read_dues reads the lines that are due first, until last_due, into dues. All lines that are due until known are there. It returns
-- the first one.
local function read_dues()
  local n = at_once + (skipped or 0)
  local found = redis.call('ZRANGE', KEYS[6], 0, n - 1, 'WITHSCORES')
  dues = {}
  for i = 1, #found, 2 do
    dues[found[i]] = tonumber(found[i + 1])
  end
  last_due = #found == 2 * n and tonumber(found[#found]) or math.huge
  known = last_due - 1
  return found[1]
end

-- set_due says when a line is worth a look.
local function set_due(line, time)
  redis.call('ZADD', KEYS[6], string.format('%.0f', time), line)
  if dues then dues[line] = time end
end

-- first_due returns the line that is due first, and when. Lines of pages that have their share are left to other workers.
local function first_due()
  if not dues then read_dues() end
  local line, time
  skipped = 0
  for other, due in pairs(dues) do
    if not due then
      -- It is not there.
    elseif next(passed) and passed[parse_line(other)] then
      skipped, left = skipped + 1, left or due <= horizon
    elseif not time or due < time or due == time and other < line then
      line, time = other, due
    end
  end
  if (time or math.huge) > last_due then
    read_dues()
    return first_due()
  end
  return line, time
end

-- view looks at a page once in a call. What is known of the app is the same for all pages.
local function view(page)
  local v = views[page]
  if not v then
    v = view_of(ARGV[4], page, already[page] or redis.call('MGET', unpack(page_keys(ARGV[4], page))), now)
    app = app or v.app
    v.app, views[page] = app, v
  end
  return v
end

-- leave adds a value, or two, to a list of those that flush writes.
local function leave(name, value, other)
  local list = leaving[name]
  if not list then
    list = {}
    leaving[name] = list
  end
  list[#list + 1] = value
  list[#list + 1] = other
end

-- flush writes what the jobs that left a line have in common. All that reads or moves jobs of the line otherwise comes after it.
local function flush(group)
  local ids, leases, claims, threads = leaving.ids, leaving.leases, leaving.claims, leaving.threads
  if claims then redis.call('HSET', KEYS[7], unpack(claims)) end
  if threads then redis.call('ZADD', ARGV[4] .. 'threads', unpack(threads)) end
  if ids then
    redis.call('ZREM', group, unpack(ids))
    redis.call('LPUSH', KEYS[3], unpack(ids))
    redis.call('ZADD', KEYS[4], unpack(leases))
  end
  leaving = {}
end

-- activate puts a job into the asking worker's hand. The owner is the token of the hand: only who has it may send, or end the
-- job. The line, where there is one, is where it goes back to.
local function activate(id, line)
  -- With an empty group asynq's forwarder brings a retried task to pending, not to the end of its line.
  if line then
    redis.call('HSET', ARGV[2] .. id, 'state', 'active', 'group', '', 'owner', token, 'line', line)
  else
    redis.call('HSET', ARGV[2] .. id, 'state', 'active', 'group', '', 'owner', token)
  end
end

-- A line is visited up to a lead before it is due. not_before is for what must not be visited before that time.
local function not_before(line, time)
  set_due(line, time + ARGV[5])
end

-- look_at is when to look at a line of a page whose next slot is at a time: sooner where a temporary rate ends before, which may
-- bring the slot forward. (A lead after the end, as a line is visited a lead before it is due.)
local function look_at(v, time)
  return math.min(time, v.ends + ARGV[5])
end

local made

-- seldom makes what is needed only where something stands in a job's way, a pause, a pace that adapts, another job to its recipient or
-- a limit of its own, and where there are broadcasts, budgets, or tasks outside of the lines.
local function seldom()
  if made then return made end
  -- here: the shared parts that nothing else needs

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

  -- enter puts a job into a line that takes notice of it at a time.
  local function enter(line, id, score, time)
    redis.call('ZADD', ARGV[3] .. line, score, id)
    redis.call('SADD', KEYS[5], line)
    redis.call('ZADD', KEYS[6], 'LT', string.format('%.0f', time), line)
    redis.call('HSET', ARGV[2] .. id, 'state', 'aggregating', 'group', line)
    dues = nil
  end

  -- route_pending brings pending tasks to their lines: to the head those that were handed out before, or that an operator wants
  -- now, which asynq's hash shows by a group; to the tail those that were scheduled. id is the first one. It returns a task that has
  -- no line.
  local function route_pending(id)
    local routes = 50
    while id do
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
      routes = routes - 1
      id = routes > 0 and redis.call('RPOP', KEYS[1])
    end
  end

  -- read_once reads a broadcast, nil for none.
  local function read_once(id)
    if id and not broadcasts[id] then
      broadcasts[id] = read_broadcast(ARGV[4] .. 'broadcast:' .. id)
    end
    return broadcasts[id or '']
  end

  -- first_parked returns the first job, and its score, of those that stepped aside for another one to their recipient.
  local function first_parked(page, recipient)
    return unpack(redis.call('ZRANGE', ARGV[4] .. 'parked:' .. page .. ':' .. recipient, 0, 0, 'WITHSCORES'))
  end

  -- give_way lets the answers that stepped aside for a bulk job in a later line go first once that waits for something longer.
  -- Where a job was handed out before, they wait.
  local function give_way(page, lane, line, recipient, id, score)
    local first, at = first_parked(page, recipient)
    if lane == 'bulk' and first and tonumber(at) < STEPPED and redis.call('HEXISTS', ARGV[2] .. id, 'line') == 0 then
      park(ARGV[3] .. line, ARGV[4], line, page, recipient, id, score)
      free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient)
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

  -- rests is true if a line is that of a broadcast that does not send now.
  local function rests(line)
    local _, _, _, broadcast = parse_line(line)
    return broadcast and opens(read_once(broadcast), now) ~= now
  end

  -- stays_home brings a job back from a side line whose broadcast does not send any more.
  local function stays_home(line, id, msg)
    local home = home_of(line, id, msg)
    if not rests(home) then
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
      free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient)
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
    set_due(line, time)
    local at_most = 50
    local back = redis.call('ZRANGE', ARGV[3] .. line, 0, 0, 'BYSCORE', 'LIMIT', 0, at_most)
    for _, id in ipairs(back) do
      budget = budget - 1
      if redis.call('ZSCORE', ARGV[3] .. line, id) == '0' then -- it may have gone with one before
        let_go(line, page, id)
        dues = nil
      end
    end
    if #back == at_most then
      set_due(line, now)
    end
  end

  -- goes_first gives the claim of a recipient that a bulk job holds which still waits and was never handed out to an answer: that
  -- one steps aside. In a later line it does not: its place there is a time, and the wait is short. Of several answers, some of
  -- which stepped aside in that time, the earliest gets the claim. It returns whether the asking one does, and whether anything moved.
  local function goes_first(page, lane, recipient, id, score)
    local field = page .. ':' .. recipient
    local holder = redis.call('HGET', KEYS[7], field)
    local state, line, before = unpack(redis.call('HMGET', ARGV[2] .. holder, 'state', 'group', 'line'))
    if lane ~= 'realtime' or state ~= 'aggregating' or before then
      return false, false
    end
    local its_page, its_lane, side = parse_line(line)
    local its_score = redis.call('ZSCORE', ARGV[3] .. line, holder)
    if its_page ~= page or its_lane ~= 'bulk' or side == 'later' or not its_score then
      return false, false
    end
    park(ARGV[3] .. line, ARGV[4], line, page, recipient, holder, tonumber(its_score))
    local first, at = first_parked(page, recipient)
    if tonumber(at) < score or tonumber(at) == score and first < id then
      free(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], page, recipient)
      return false, true
    end
    redis.call('HSET', KEYS[7], field, id)
    return true, true
  end

  -- stands is true if a line's page does not send now, and says when the line is worth a look again. Where the whole app stands still
  -- it returns how long that lasts.
  local function stands(q, v)
    if v.app_paused then
      return true, time_left(KEYS[8])
    elseif probing(v.app, now) then
      return true, v.app.at - now
    elseif v.paused then
      not_before(q.line, now + time_left(ARGV[4] .. 'pause:' .. q.page))
      return true
    elseif probing(v.own, now) then
      not_before(q.line, v.own.at) -- its answer makes the line due
      return true
    end
  end

  -- opening returns the first slot from one on at which the broadcast of a line may send, nil where that is not by the horizon.
  local function opening(q, slot)
    local b = q.broadcast
    slot = math.max(slot, b.last + b.every)
    local opens_at = opens(b, slot)
    if opens_at ~= slot and (opens_at or math.huge) > horizon then
      stand(q.line, q.page, opens_at or now + IDLE_LINE)
      return nil
    end
    return opens_at
  end

  -- contend is for a job whose recipient's claim another one has. It returns true if the job has the claim then, and forgets the jobs
  -- that were read where one of them may have moved.
  local function contend(q, job, holder)
    flush(q.group)
    local mine, moved = false, ended(ARGV[2], holder)
    if moved then
      mine = succeed(KEYS[7], KEYS[6], ARGV[4], ARGV[2], ARGV[3], q.page, job.recipient, job.id)
    end
    if not mine then
      local first, more = goes_first(q.page, q.lane, job.recipient, job.id, tonumber(job.score))
      mine, moved = first, moved or more
    end
    if moved then
      q.jobs, dues = nil, nil
    end
    return mine
  end

  made = {
    hand_on = hand_on, route_pending = route_pending, step_aside = step_aside, read_once = read_once, stays_home = stays_home,
    stands = stands, opening = opening, contend = contend, park = park, join = join, use_turn = use_turn, rooms = rooms,
    charge_rest = charge_rest, home_of = home_of, sync_lines = sync_lines, turn_all_back = turn_all_back,
  }
  return made
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

-- read_jobs reads the first n jobs of a line, and of several who has the claims of their recipients, and when their conversations are
-- free. For one, claims and spaced ask that as they write it.
local function read_jobs(group, page, v, n)
  local found = redis.call('ZRANGE', group, 0, n - 1, 'WITHSCORES')
  local jobs, known, fields = {at = 0, claimed = {}}, {}, {}
  for i = 1, #found, 2 do
    local id = found[i]
    local recipient, class = recipient_of(id)
    local field = recipient and page .. ':' .. recipient
    local job = {id = id, score = found[i + 1], recipient = recipient, class = class or '-', field = field}
    jobs[#jobs + 1] = job
    if field then
      known[#known + 1], fields[#fields + 1] = job, field
    end
  end
  if known[2] then
    local holders = redis.call('HMGET', KEYS[7], unpack(fields))
    local free_at = v.thread > 0 and redis.call('ZMSCORE', ARGV[4] .. 'threads', unpack(fields))
    for i, job in ipairs(known) do
      job.holder, job.free_at = holders[i], free_at and tonumber(free_at[i] or 0) or 0
    end
  end
  return jobs
end

-- claims is true if a job goes before all others to its recipient, and claims that.
local function claims(q, job)
  local field = job.field
  if not field then
    return true
  end
  local holder = q.jobs.claimed[field] or job.holder
  if holder == nil then
    if redis.call('HSETNX', KEYS[7], field, job.id) == 1 then
      return true
    end
    holder = redis.call('HGET', KEYS[7], field)
  end
  if holder == job.id then
    return true
  end
  if not holder then
    q.jobs.claimed[field] = job.id
    leave('claims', field, job.id)
    return true
  end
  return seldom().contend(q, job, holder)
end

-- spaced returns when a job's conversation is free. Where that is so and the job goes at a slot, it spaces what comes next.
local function spaced(v, job, slot)
  if not job.field or v.thread == 0 then
    return 0
  end
  if not job.free_at then
    local threads = ARGV[4] .. 'threads'
    if slot <= horizon and redis.call('ZADD', threads, 'NX', string.format('%.0f', slot + v.thread), job.field) == 1 then
      job.spaces = true
      return 0
    end
    job.free_at = tonumber(redis.call('ZSCORE', threads, job.field) or 0)
  end
  return job.free_at
end

-- next_job returns the next job of a line, nil at its end. slot is the first that it may have.
local function next_job(q, v, slot)
  if not q.jobs or q.jobs.at == #q.jobs then
    flush(q.group)
    q.jobs = read_jobs(q.group, q.page, v, places(q, v, slot))
  end
  q.jobs.at = q.jobs.at + 1
  return q.jobs[q.jobs.at]
end

-- pick finds the first job of a line that may go out by the horizon, and claims its recipient. Jobs whose recipient is busy, and
-- those that a limit of their own holds up, step aside. Where lines share the lane's pace, that is the line's turn: it would bring
-- all its jobs into the side lines else, which go before the other lines. turn is the slot of the line's turn.
-- It returns the job, its slot and its limits; without a job it has said when the line is worth a look again.
local function pick(q, v, turn)
  local line, side, b = q.line, q.side, q.broadcast
  while budget > 0 do
    budget = budget - 1
    local job = next_job(q, v, turn)
    if not job then
      redis.call('SREM', KEYS[5], line)
      redis.call('ZREM', KEYS[6], line)
      dues = nil
      return nil
    end
    local score = tonumber(job.score)
    if score >= STEPPED or b and b.state == 'testing' and score > TEST then
      not_before(line, now + (score >= STEPPED and PARKED_LINE or IDLE_LINE))
      return nil
    end
    job.msg = redis.call('HGET', ARGV[2] .. job.id, 'msg')
    if not job.msg or side and seldom().stays_home(line, job.id, job.msg) then
      redis.call('ZREM', q.group, job.id)
    elseif not claims(q, job) then
      seldom().park(q.group, ARGV[4], line, q.page, job.recipient, job.id, score)
    else
      q.of_class[job.class] = q.of_class[job.class] or limits_of(q.lane, side, job.class)
      local names = q.of_class[job.class]
      local slot, why = next_slot(v, names, now)
      slot = math.max(slot, turn)
      local free_at = spaced(v, job, slot)
      if free_at > slot then
        slot, why = free_at, 'thread'
      end
      if slot <= horizon then
        return job, slot, names
      end
      flush(q.group)
      if not seldom().step_aside(v, q.page, q.lane, side, job.recipient, job.id, job.score, slot, why) then
        set_due(line, look_at(v, slot))
        return nil
      end
      redis.call('ZREM', q.group, job.id)
      if side == 'later' then q.jobs = nil end
      if v.shares and v.shares.pass[line] then
        seldom().use_turn(ARGV[4], q.page, v.shares, line, b, turn)
        set_due(line, math.max(turn, b and b.last + b.every or 0))
        return nil
      end
    end
  end
  return nil
end
