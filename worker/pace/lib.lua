-- lib is put before every other script of this package. It holds what they share: how a line's name, a job's id and the
-- claims of recipients are read and written.

-- The score of a job in its line says where it stands: 0 for one that was handed out before and came back, asynq's time
-- of enqueueing (seconds) for one that waits, and PARKED more than that for one that stepped aside. In a later line it is the
-- time from which on the job may be sent, in seconds. In the line of a broadcast it is 1 for the jobs of its test share, and
-- RELEASED for one that came back and let go of its recipient's claim, because its broadcast does not send: it goes before what
-- stepped aside for it.
-- PARKED is no power of ten: miniredis's Lua cannot read "1e+10".
local PARKED = 2 ^ 34
-- From here on a score is of a job that stepped aside: older versions add 10^10.
local STEPPED = 2 ^ 33
local RELEASED = -1
local TEST = 1
-- How long a line with nothing to hand out is left alone, in us. What changes that looks it up sooner.
local IDLE_LINE = 60 * 1000000
-- How long a line in which all have stepped aside is left alone, in us. A job that joins it may not be noticed sooner.
local PARKED_LINE = 100 * 1000

local function starts_with(text, start)
  return string.sub(text, 1, #start) == start
end

-- broadcast_line is the line of a broadcast at a page.
local function broadcast_line(page, broadcast)
  return page .. ':bulk:@' .. broadcast
end

-- parse_line splits '<page>:<lane>[:<side>]' and '<page>:bulk:@<broadcast>' into page, lane, side and broadcast. A group that is no
-- line counts as a bulk line of a page of that name. Side lines hold jobs that stepped out of a line of the lane, with the claim
-- of their recipient, until what held them up lets them go: media and reply, a limit of their class; later, the spacing of their
-- conversation. Other clients may enqueue into media.
local function parse_line(line)
  local page, lane, rest = string.match(line, '^(%d+):(%a+)(.*)$')
  if page and (lane == 'bulk' or lane == 'realtime') then
    local side, broadcast = string.match(rest, '^:(%a+)$'), string.match(rest, '^:@([%w_.-]+)$')
    if rest == '' or side == 'media' or side == 'reply' or side == 'later' then
      return page, lane, side
    elseif lane == 'bulk' and broadcast and #broadcast <= 64 then
      return page, lane, nil, broadcast
    end
  end
  return line, 'bulk', nil
end

-- address reads the line that a job is enqueued into from the start of a task message, as asynq encodes it: field 1, the type,
-- field 2, the payload. It returns nil for a payload that does not begin as the producer writes it.
local function address(msg)
  local head = '\10\13sendpace:send\18'
  if string.sub(msg, 1, #head) ~= head then
    return nil
  end
  local at = #head + 1
  while (string.byte(msg, at) or 0) >= 128 do at = at + 1 end -- the payload's length
  local page, lane, rest = string.match(string.sub(msg, at + 1, at + 200), '^{"page_id":"(%d+)","lane":"(%a+)"(.*)$')
  if lane ~= 'bulk' and lane ~= 'realtime' then
    return nil
  end
  local broadcast = lane == 'bulk' and string.match(rest, '^,"broadcast":"([%w_.-]+)"')
  return broadcast and broadcast_line(page, broadcast) or page .. ':' .. lane
end

-- recipient_of returns the recipient's hash in a job's id, and the job's class as class_of does; nil if the id is not of our making.
local function recipient_of(id)
  local class = #id == 35 and string.match(id, '^[%-mrb]', 27)
  if class then
    return string.sub(id, 28), class
  end
end

-- class_of returns the class of a job: '-' plain, 'm' media, 'r' private reply, 'b' both.
local function class_of(id)
  return #id == 35 and string.match(id, '^[mrb]', 27) or '-'
end

-- home_of returns the line that a job goes back to: of one that stepped aside that of its broadcast, or of its lane. Where the id
-- does not tell the class, only the line does.
local function home_of(line, id, msg)
  local page, lane, side = parse_line(line)
  if side == 'later' or side and class_of(id) ~= '-' then
    local home, told = page .. ':' .. lane, address(msg)
    return told and starts_with(told, home .. ':@') and told or home
  end
  return line
end

-- ended is true for a job that will not be sent any more, and so cannot go before another.
local function ended(tasks, id)
  local state = redis.call('HGET', tasks .. id, 'state')
  return not state or state == 'archived' or state == 'completed'
end

-- park lets a job of a line step aside until its recipient is free: it stays in the line, behind all that wait.
local function park(group, prefix, line, page, recipient, id, score)
  local _, lane = parse_line(line)
  score = math.max(score, 0)
  redis.call('ZADD', group, PARKED + score, id)
  redis.call('ZADD', prefix .. 'parked:' .. page .. ':' .. recipient, (lane == 'bulk' and PARKED or 0) + score, id)
end

-- wake_lookout tells the worker that looks out that a line has become due.
local function wake_lookout(prefix)
  redis.call('PUBLISH', prefix .. 'wake', 'line')
end

-- free ends the claim of a recipient, or hands it to the first job that stepped aside for it: that one goes to the head
-- of its line. asking is a job that is on its way out of its line, nil if there is none: when it is the first it has the claim.
local function free(busy, due, prefix, tasks, groups, page, recipient, asking)
  local parked = prefix .. 'parked:' .. page .. ':' .. recipient
  while true do
    local id = redis.call('ZPOPMIN', parked)[1]
    if not id then
      redis.call('HDEL', busy, page .. ':' .. recipient)
      return
    end
    if id == asking then
      redis.call('HSET', busy, page .. ':' .. recipient, id)
      return
    end
    local line = redis.call('HGET', tasks .. id, 'group')
    if line and redis.call('ZSCORE', groups .. line, id) then
      redis.call('HSET', busy, page .. ':' .. recipient, id)
      redis.call('ZADD', groups .. line, 0, id)
      local t = redis.call('TIME')
      redis.call('ZADD', due, string.format('%.0f', t[1] * 1000000 + t[2]), line)
      wake_lookout(prefix)
      return
    end
  end
end

-- succeed is for a recipient whose claim another job has that ended unseen: those that stepped aside for it come first. It returns
-- true if id has the claim then.
local function succeed(busy, due, prefix, tasks, groups, page, recipient, id)
  local field = page .. ':' .. recipient
  free(busy, due, prefix, tasks, groups, page, recipient, id)
  redis.call('HSETNX', busy, field, id)
  return redis.call('HGET', busy, field) == id
end

-- claim makes id the job that goes before all others to its recipient. It returns false if another one does.
local function claim(busy, due, prefix, tasks, groups, page, recipient, id)
  if not recipient then
    return true
  end
  local field = page .. ':' .. recipient
  if redis.call('HSETNX', busy, field, id) == 1 then
    return true
  end
  local holder = redis.call('HGET', busy, field)
  if holder ~= id and ended(tasks, holder) then
    return succeed(busy, due, prefix, tasks, groups, page, recipient, id)
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

-- sent_record is true for the outcome record of a job that was sent. The result of a task that failed once and was run
-- again by an operator is not one.
local function sent_record(record)
  if not record then
    return false
  end
  local ok, o = pcall(cjson.decode, record)
  return ok and type(o) == 'table' and o.outcome == 'sent'
end

-- for_token is true if a page is held because a worker had no token for it.
local function for_token(pause)
  local ok, why = pcall(cjson.decode, redis.call('GET', pause) or '')
  return ok and type(why) == 'table' and why.missing_token == true
end

-- each answers for each job of a list, and keeps the trouble of one from the others: the answer for that is {'error', text}.
local function each(jobs, answer)
  local answers = {}
  for i, job in ipairs(jobs) do
    local ok, got = pcall(answer, job)
    answers[i] = ok and got or {'error', tostring(type(got) == 'table' and got.err or got)}
  end
  return answers
end

-- jobs_of splits the arguments from one on, n for each job, into jobs, each with its number in at.
local function jobs_of(from, n)
  local jobs = {}
  for i = from, #ARGV, n do
    jobs[#jobs + 1] = {unpack(ARGV, i, i + n - 1)}
    jobs[#jobs].at = #jobs
  end
  return jobs
end
