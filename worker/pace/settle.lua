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
-- then for each job
--   decision, as JSON; see the type decision in settle.go
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
local rises, until_of = {}, {} -- asynq's statistics: by how much, and when those of a day expire
local outcomes = {} -- by how much the counts of outcomes rise

-- time is the server's, in us; most jobs end without a need to know it.
local now
local function time()
  if not now then
    local t = redis.call('TIME')
    now = t[1] * 1000000 + t[2]
  end
  return now
end

-- note keeps what a hand learned that has lost its job. A mark of its own has its answer now.
local function note(job, state, mine)
  local d = job.decision
  if not state or state == 'archived' or state == 'completed' then
    return
  end
  if d.kind == 'sent' then
    redis.call('HSET', job.key, 'result', job.result)
  end
  if mine and not d.unknown then
    redis.call('HDEL', job.key, 'mark')
    if d.step then
      redis.call('HSET', job.key, 'step', d.step, 'ids', d.ids)
    end
  end
end

-- count adds to asynq's statistics: a day's, which expire, and the totals.
local function count(d, name)
  local total, day = ARGV[1] .. name, ARGV[1] .. name .. ':' .. d.day
  rises[total], rises[day], until_of[day] = (rises[total] or 0) + 1, (rises[day] or 0) + 1, d.day_until
end

-- archive keeps the task as asynq does: the newest ones, for a limited time.
local function archive(job)
  local d, archived = job.decision, ARGV[1] .. 'archived'
  redis.call('ZADD', archived, d.score, d.id)
  local function drop(ids)
    for _, id in ipairs(ids) do
      redis.call('DEL', tasks .. id)
      redis.call('ZREM', archived, id)
    end
  end
  drop(redis.call('ZRANGE', archived, '-inf', d.archive_from, 'BYSCORE'))
  drop(redis.call('ZRANGE', archived, 0, -d.archive_size))
  redis.call('HSET', job.key, 'msg', job.msg, 'state', 'archived', 'result', job.result)
  redis.call('HDEL', job.key, 'owner', 'mark', 'cancel', 'acc', 'resent', 'line')
  count(d, 'processed')
  count(d, 'failed')
end

-- keep_or_delete ends a task that asynq calls a success.
local function keep_or_delete(job)
  local d = job.decision
  if d.place == 'completed' then
    redis.call('ZADD', ARGV[1] .. 'completed', d.score, d.id)
    redis.call('HSET', job.key, 'msg', job.msg, 'state', 'completed', 'result', job.result)
    redis.call('HDEL', job.key, 'owner', 'mark', 'cancel', 'acc', 'resent', 'line')
  else
    redis.call('DEL', job.key)
  end
  count(d, 'processed')
  if job.lock and redis.call('GET', job.lock) == d.id then
    redis.call('DEL', job.lock)
  end
end

local function finish(job, counted)
  local d = job.decision
  if d.place == 'archived' then
    archive(job)
  else
    keep_or_delete(job)
  end
  -- A job that no producer of ours has counted, or that ends a second time, is accepted with its end.
  local counts = counted and {d.kind} or {d.kind, 'accepted'}
  for _, name in ipairs(counts) do
    local field = d.page .. ':' .. name
    outcomes[field] = (outcomes[field] or 0) + 1
  end
  if d.broadcast then
    count_end(ARGV[2] .. 'broadcast:' .. d.broadcast, DUE, d.page, counts, time(), d.code, d.why)
  end
  redis.call('XADD', STREAM, 'MAXLEN', '~', d.stream_length, '*', 'o', job.record)
  if d.suppress then
    local key = ARGV[2] .. 'suppressed:' .. d.page
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', time()))
    redis.call('ZADD', key, string.format('%.0f', time() + d.suppress), d.recipient)
    redis.call('PEXPIRE', key, string.format('%.0f', math.max(d.suppress / 1000, redis.call('PTTL', key))))
  end
  if redis.call('HGET', BUSY, d.page .. ':' .. d.recipient) == d.id then
    free(BUSY, DUE, ARGV[2], tasks, groups, d.page, d.recipient)
  end
end

local function retry(job)
  local d = job.decision
  redis.call('ZADD', ARGV[1] .. 'retry', d.score, d.id)
  redis.call('HSET', job.key, 'msg', job.msg, 'state', 'retry')
  if d.counted then
    count(d, 'processed')
    count(d, 'failed')
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

local function settle(job)
  local d, key = job.decision, job.key
  local state, owner, mark, result, cancel, counted, resent, line =
    unpack(redis.call('HMGET', key, 'state', 'owner', 'mark', 'result', 'cancel', 'acc', 'resent', 'line'))
  local mine = mark and starts_with(mark, d.token .. ' ')
  if state ~= 'active' or owner ~= d.token then
    note(job, state, mine)
    return {'gone'}
  end
  if d.kind ~= 'sent' and d.kind and sent_record(result) then
    return {'known', result}
  end
  local unsent = d.kind == 'expired' or d.kind == 'cancelled'
  if (unsent or d.kind == 'failed') and mark and not mine or unsent and resent then
    return {'marked', resent or '0'}
  end
  if not d.kind and cancel == '1' then
    return {'cancelled'}
  end

  redis.call('LREM', ACTIVE, 0, d.id)
  ended_leases[#ended_leases + 1] = d.id
  if d.kind then
    finish(job, counted == '1')
  else
    redis.call('HDEL', key, 'owner', mine and not d.unknown and 'mark' or 'owner')
    if d.step then
      redis.call('HSET', key, 'step', d.step, 'ids', d.ids)
    end
    if d.to == 'retry' then
      retry(job)
    else
      line_up(job, line)
    end
  end
  if d.adapts or math.max(d.usage_page, d.usage_app) > SLOW_FROM then
    adapt_on_settle(ARGV[2], d.page, d.id, d.ok, d.usage_page, d.usage_app, time())
  end
  return {'ok'}
end

local jobs, at = {}, 8
for i = 3, #ARGV, 4 do
  local job = {decision = cjson.decode(ARGV[i]), msg = ARGV[i + 1], record = ARGV[i + 2], result = ARGV[i + 3], key = KEYS[at]}
  if job.decision.unique then
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
local processed, failed = ARGV[1] .. 'processed', ARGV[1] .. 'failed'
if rises[processed] and type(redis.pcall('INCRBY', processed, rises[processed])) == 'table' then
  redis.call('SET', processed, rises[processed]) -- it was full
  if rises[failed] then redis.call('SET', failed, 0) end
end
rises[processed] = nil
for key, n in pairs(rises) do
  if redis.call('INCRBY', key, n) == n and until_of[key] then
    redis.call('EXPIREAT', key, until_of[key])
  end
end
return answers
