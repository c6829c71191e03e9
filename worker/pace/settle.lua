-- settle ends hands: each with the job's outcome, with a retry, or by putting the job back into its line. It stands in for the
-- scripts by which asynq ends a run (asynq v0.26.0, internal/rdb/rdb.go: doneCmd, markAsCompleteCmd, archiveCmd, retryCmd,
-- requeueCmd and the two for unique tasks), and leaves asynq's keys and statistics as those do.
--
-- KEYS[1] asynq:{q}:active
-- KEYS[2] asynq:{q}:lease
-- KEYS[3] asynq:{q}:groups
-- KEYS[4] sendpace:{q}:due
-- KEYS[5] sendpace:{q}:busy
-- KEYS[6] sendpace:{q}:outcomes   '<page>:<outcome>' -> count
-- KEYS[7] sendpace:{q}:stream     outcome records
-- then for each job asynq:{q}:t:<id>, and of a unique task also its lock
-- ARGV[1] asynq:{q}:
-- ARGV[2] sendpace:{q}:
-- ARGV[3] day of asynq's statistics
-- ARGV[4] until when those are kept, unix seconds
-- ARGV[5] about how many records the stream keeps
-- then for each job
--   id, token, kind, page, recipient, and the rest of the decision as JSON, empty for none; see the type decision in settle.go
--   message, as asynq is to find it from now on; empty: as it is
--   outcome record for the stream; for a job that was sent also where the job goes on
--   outcome record for the task's result
--
-- Returns for each job
--         {'ok'}
--         {'gone'}           the job was not in this hand any more; what the hand learned is noted for the next one
--         {'known', record}  not done: an earlier hand sent it, and record is its outcome
--         {'marked', resent} not done: a send has no known answer, so it cannot end as never sent; resent: as in permit
--         {'cancelled'}      not done: its cancellation was asked for, so it does not go on
--         {'error', text}    as each says
--
-- Invariants: A job ends in exactly one outcome. The outcome is counted, written to the stream and freed of its claims in
-- the same step that takes the job out of asynq's active list, and only the owner can take it out. Called again after its
-- answer was lost, it finds no owner and changes nothing. The job is in exactly one of asynq's collections before and
-- after; one that parks has a job before it.

local ACTIVE, LEASE, GROUPS, DUE, BUSY, OUTCOMES, STREAM = unpack(KEYS)
local tasks, groups = ARGV[1] .. 't:', ARGV[1] .. 'g:'
local ended_leases = {} -- ids
local claims = {ends = {}, recipients = {}, parked = {}} -- that end: of which jobs and recipients, and who may have stepped aside
local rises = {processed = 0, failed = 0} -- by how much asynq's statistics do
local outcomes = {} -- by how much the counts of outcomes rise
local made, now

-- seldom makes what a job does without that was sent and is not kept.
local function seldom()
  if made then return made end
  -- here: the shared parts that nothing else needs

  -- time is the server's, in us.
  local function time()
    if not now then
      local t = redis.call('TIME')
      now = t[1] * 1000000 + t[2]
    end
    return now
  end

  -- marked is true for the mark of the hand that ends.
  local function marked(d, mark)
    return mark and starts_with(mark, d.token .. ' ')
  end

  -- note keeps what a hand learned that has lost its job. A mark of its own has its answer now.
  local function note(job, state)
    local d = job.decision
    if not state or state == 'archived' or state == 'completed' then
      return
    end
    if d.kind == 'sent' then
      redis.call('HSET', job.key, 'result', job.result)
    end
    if not d.unknown and marked(d, redis.call('HGET', job.key, 'mark')) then
      redis.call('HDEL', job.key, 'mark')
      if d.step then
        redis.call('HSET', job.key, 'step', d.step, 'ids', d.ids)
      end
    end
  end

  -- keep leaves an ended task as asynq does.
  local function keep(job, state)
    redis.call('ZADD', ARGV[1] .. state, job.decision.score, job.decision.id)
    redis.call('HSET', job.key, 'msg', job.msg, 'state', state, 'result', job.result)
    redis.call('HDEL', job.key, 'owner', 'mark', 'cancel', 'acc', 'resent', 'line')
  end

  -- archive keeps the newest tasks, for a limited time.
  local function archive(job)
    local d, archived = job.decision, ARGV[1] .. 'archived'
    keep(job, 'archived')
    local function drop(ids)
      for _, id in ipairs(ids) do
        redis.call('DEL', tasks .. id)
        redis.call('ZREM', archived, id)
      end
    end
    drop(redis.call('ZRANGE', archived, '-inf', d.archive_from, 'BYSCORE'))
    drop(redis.call('ZRANGE', archived, 0, -d.archive_size))
    rises.failed = rises.failed + 1
  end

  local function suppress(d)
    local key = ARGV[2] .. 'suppressed:' .. d.page
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', time()))
    redis.call('ZADD', key, string.format('%.0f', time() + d.suppress), d.recipient)
    redis.call('PEXPIRE', key, string.format('%.0f', math.max(d.suppress / 1000, redis.call('PTTL', key))))
  end

  local function retry(job)
    local d = job.decision
    redis.call('ZADD', ARGV[1] .. 'retry', d.score, d.id)
    redis.call('HSET', job.key, 'msg', job.msg, 'state', 'retry')
    if d.counted then
      rises.processed, rises.failed = rises.processed + 1, rises.failed + 1
    end
  end

  local function line_up(job, line)
    local d = job.decision
    line = d.line or line
    redis.call('HSET', job.key, 'state', 'aggregating', 'group', line)
    local page = parse_line(line)
    local holder = d.to == 'park' and redis.call('HGET', BUSY, page .. ':' .. d.recipient)
    if holder and holder ~= d.id and not ended(tasks, holder) then
      park(groups .. line, ARGV[2], line, page, d.recipient, d.id, math.floor(time() / 1000000))
    else
      redis.call('ZADD', groups .. line, d.to == 'head' and 0 or math.floor(time() / 1000000), d.id)
      redis.call('ZADD', DUE, string.format('%.0f', time()), line)
      wake_lookout(ARGV[2])
    end
    redis.call('SADD', GROUPS, line)
  end

  -- go_on lets a job go on that does not end.
  local function go_on(job)
    local d = job.decision
    local mark, line = unpack(redis.call('HMGET', job.key, 'mark', 'line'))
    redis.call('HDEL', job.key, 'owner', not d.unknown and marked(d, mark) and 'mark' or 'owner')
    if d.step then
      redis.call('HSET', job.key, 'step', d.step, 'ids', d.ids)
    end
    if d.to == 'retry' then
      retry(job)
    else
      line_up(job, line)
    end
  end

  -- amiss is the answer where Redis knows more of a job than its hand, which was not to end it as sent.
  local function amiss(job)
    local d = job.decision
    local mark, result, cancel, resent = unpack(redis.call('HMGET', job.key, 'mark', 'result', 'cancel', 'resent'))
    if d.kind and sent_record(result) then
      return {'known', result}
    end
    local unsent = d.kind == 'expired' or d.kind == 'cancelled'
    if (unsent or d.kind == 'failed') and mark and not marked(d, mark) or unsent and resent then
      return {'marked', resent or '0'}
    end
    if not d.kind and cancel == '1' then
      return {'cancelled'}
    end
  end

  -- count_in_broadcast counts the end of a job in its broadcast.
  local function count_in_broadcast(d, names)
    count_end(ARGV[2] .. 'broadcast:' .. d.broadcast, DUE, d.page, names, time(), d.code, d.why)
  end

  local function adapt(d)
    local ok, usage_page, usage_app = unpack(d.report)
    adapt_on_settle(ARGV[2], d.page, d.id, ok, usage_page, usage_app, time())
  end

  local function pass_on(d)
    free(BUSY, DUE, ARGV[2], tasks, groups, d.page, d.recipient)
  end

  made = {
    note = note, keep = keep, archive = archive, suppress = suppress, go_on = go_on, amiss = amiss,
    count_in_broadcast = count_in_broadcast, adapt = adapt, pass_on = pass_on,
  }
  return made
end

local function finish(job, counted)
  local d = job.decision
  rises.processed = rises.processed + 1
  if d.place == 'archived' then
    seldom().archive(job)
  elseif d.place == 'completed' then
    seldom().keep(job, 'completed')
  else
    redis.call('DEL', job.key)
  end
  if job.lock and d.place ~= 'archived' and redis.call('GET', job.lock) == d.id then
    redis.call('DEL', job.lock)
  end
  -- A job that no producer of ours has counted, or that ends a second time, is accepted with its end.
  local counts = counted and {d.kind} or {d.kind, 'accepted'}
  for _, name in ipairs(counts) do
    local field = d.page .. ':' .. name
    outcomes[field] = (outcomes[field] or 0) + 1
  end
  if d.broadcast then
    seldom().count_in_broadcast(d, counts)
  end
  redis.call('XADD', STREAM, 'MAXLEN', '~', ARGV[5], '*', 'o', job.record)
  if d.suppress then
    seldom().suppress(d)
  end
  local recipient = d.page .. ':' .. d.recipient
  if not d.unclaimed or redis.call('HGET', BUSY, recipient) == d.id then
    local n = #claims.ends + 1
    claims.ends[n], claims.recipients[n], claims.parked[n] = d, recipient, ARGV[2] .. 'parked:' .. recipient
  end
end

local function settle(job)
  local d = job.decision
  local state, owner, counted = unpack(redis.call('HMGET', job.key, 'state', 'owner', 'acc'))
  if state ~= 'active' or owner ~= d.token then
    seldom().note(job, state)
    return {'gone'}
  end
  local amiss = d.kind ~= 'sent' and seldom().amiss(job)
  if amiss then
    return amiss
  end
  redis.call('LREM', ACTIVE, -1, d.id) -- the oldest are last, and end first
  ended_leases[#ended_leases + 1] = d.id
  if d.kind then
    finish(job, counted == '1')
  else
    seldom().go_on(job)
  end
  if d.report then
    seldom().adapt(d)
  end
  return {'ok'}
end

local jobs, at = {}, 8
for i = 6, #ARGV, 9 do
  local d = ARGV[i + 5] == '' and {} or cjson.decode(ARGV[i + 5])
  d.id, d.token, d.kind, d.page, d.recipient = unpack(ARGV, i, i + 4)
  if d.kind == '' then d.kind = nil end
  local job = {decision = d, msg = ARGV[i + 6], record = ARGV[i + 7], result = ARGV[i + 8], key = KEYS[at]}
  if d.unique then
    job.lock = KEYS[at + 1]
    at = at + 1
  end
  at = at + 1
  jobs[#jobs + 1] = job
end
local answers = each(jobs, settle)

if ended_leases[1] then
  redis.call('ZREM', LEASE, unpack(ended_leases))
end
for field, n in pairs(outcomes) do
  redis.call('HINCRBY', OUTCOMES, field, n)
end
if claims.ends[1] then
  if redis.call('EXISTS', unpack(claims.parked)) == 0 then
    redis.call('HDEL', BUSY, unpack(claims.recipients))
  else
    each(claims.ends, seldom().pass_on)
  end
end

-- rise adds to a statistic of asynq's: to that of the day, which expires, and to the total. It returns false where that is full.
local function rise(name)
  local n, day = rises[name], ARGV[1] .. name .. ':' .. ARGV[3]
  if n > 0 and redis.call('INCRBY', day, n) == n then
    redis.call('EXPIREAT', day, ARGV[4])
  end
  return n == 0 or type(redis.pcall('INCRBY', ARGV[1] .. name, n)) == 'number'
end
if not rise('processed') then
  redis.call('SET', ARGV[1] .. 'processed', rises.processed)
  if rises.failed > 0 then redis.call('SET', ARGV[1] .. 'failed', 0) end
end
rise('failed')
return answers
