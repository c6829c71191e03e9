-- settle ends a hand: with the job's outcome, with a retry, or by putting the job back into its line. It stands in for the
-- scripts by which asynq ends a run (asynq v0.26.0, internal/rdb/rdb.go: doneCmd, markAsCompleteCmd, archiveCmd, retryCmd,
-- requeueCmd and the two for unique tasks), and leaves asynq's keys and statistics as those do.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:active
-- KEYS[3] asynq:{q}:lease
-- KEYS[4] asynq:{q}:groups
-- KEYS[5] sendpace:{q}:due
-- KEYS[6] sendpace:{q}:busy
-- KEYS[7] sendpace:{q}:outcomes   '<page>:<outcome>' -> count
-- KEYS[8] sendpace:{q}:stream     outcome records
-- KEYS[9] the lock of a unique task; only for one
-- ARGV[1] asynq:{q}:
-- ARGV[2] sendpace:{q}:
-- ARGV[3] id of the job
-- ARGV[4] token of the hand
-- ARGV[5] decision, as JSON; see the type decision in settle.go
-- ARGV[6] message, as asynq is to find it from now on; empty: as it is
-- ARGV[7] outcome record for the stream; for a job that was sent also where the job goes on
-- ARGV[8] outcome record for the task's result
--
-- Returns {'ok'}
--         {'gone'}           the job was not in this hand any more; what the hand learned is noted for the next one
--         {'known', record}  not done: an earlier hand sent it, and record is its outcome
--         {'marked', resent} not done: a send has no known answer, so it cannot end as never sent; resent: as in permit
--         {'cancelled'}      not done: its cancellation was asked for, so it does not go on
--
-- Invariants: A job ends in exactly one outcome. The outcome is counted, written to the stream and freed of its claims in
-- the same step that takes the job out of asynq's active list, and only the owner can take it out. Called again after its
-- answer was lost, it finds no owner and changes nothing. The job is in exactly one of asynq's collections before and
-- after; one that parks has a job before it.

local d = cjson.decode(ARGV[5])
local tasks, groups = ARGV[1] .. 't:', ARGV[1] .. 'g:'
local h = redis.call('HMGET', KEYS[1], 'state', 'owner', 'mark', 'result', 'cancel', 'acc', 'resent', 'line')
local state, mark, result = h[1], h[3], h[4]
local mine = mark and starts_with(mark, ARGV[4] .. ' ')

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
local function note()
  if not state or state == 'archived' or state == 'completed' then
    return
  end
  if d.kind == 'sent' then
    redis.call('HSET', KEYS[1], 'result', ARGV[8])
  end
  if mine and not d.unknown then
    redis.call('HDEL', KEYS[1], 'mark')
    if d.step then
      redis.call('HSET', KEYS[1], 'step', d.step, 'ids', d.ids)
    end
  end
end

-- count adds to asynq's statistics: a day's, which expire, and the totals, which start over together.
local function count(names)
  for _, name in ipairs(names) do
    local day = ARGV[1] .. name .. ':' .. d.day
    if redis.call('INCR', day) == 1 then
      redis.call('EXPIREAT', day, d.day_until)
    end
  end
  local full = type(redis.pcall('INCR', ARGV[1] .. names[1])) == 'table'
  for i, name in ipairs(names) do
    if full then
      redis.call('SET', ARGV[1] .. name, 1)
    elseif i > 1 then
      redis.call('INCR', ARGV[1] .. name)
    end
  end
end

-- archive keeps the task as asynq does: the newest ones, for a limited time.
local function archive()
  local archived = ARGV[1] .. 'archived'
  redis.call('ZADD', archived, d.score, ARGV[3])
  local function drop(ids)
    for _, id in ipairs(ids) do
      redis.call('DEL', tasks .. id)
      redis.call('ZREM', archived, id)
    end
  end
  drop(redis.call('ZRANGE', archived, '-inf', d.archive_from, 'BYSCORE'))
  drop(redis.call('ZRANGE', archived, 0, -d.archive_size))
  redis.call('HSET', KEYS[1], 'msg', ARGV[6], 'state', 'archived', 'result', ARGV[8])
  redis.call('HDEL', KEYS[1], 'owner', 'mark', 'cancel', 'acc', 'resent', 'line')
  count({'processed', 'failed'})
end

-- keep_or_delete ends a task that asynq calls a success.
local function keep_or_delete()
  if d.place == 'completed' then
    redis.call('ZADD', ARGV[1] .. 'completed', d.score, ARGV[3])
    redis.call('HSET', KEYS[1], 'msg', ARGV[6], 'state', 'completed', 'result', ARGV[8])
    redis.call('HDEL', KEYS[1], 'owner', 'mark', 'cancel', 'acc', 'resent', 'line')
  else
    redis.call('DEL', KEYS[1])
  end
  count({'processed'})
  if KEYS[9] and redis.call('GET', KEYS[9]) == ARGV[3] then
    redis.call('DEL', KEYS[9])
  end
end

local function finish()
  if d.place == 'archived' then
    archive()
  else
    keep_or_delete()
  end
  -- A job that no producer of ours has counted, or that ends a second time, is accepted with its end.
  local counts = h[6] == '1' and {d.kind} or {d.kind, 'accepted'}
  for _, name in ipairs(counts) do
    redis.call('HINCRBY', KEYS[7], d.page .. ':' .. name, 1)
  end
  if d.broadcast then
    count_end(ARGV[2] .. 'broadcast:' .. d.broadcast, KEYS[5], d.page, counts, time(), d.code, d.why)
  end
  redis.call('XADD', KEYS[8], 'MAXLEN', '~', d.stream_length, '*', 'o', ARGV[7])
  if d.suppress then
    local key = ARGV[2] .. 'suppressed:' .. d.page
    redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', time()))
    redis.call('ZADD', key, string.format('%.0f', time() + d.suppress), d.recipient)
    redis.call('PEXPIRE', key, string.format('%.0f', math.max(d.suppress / 1000, redis.call('PTTL', key))))
  end
  if redis.call('HGET', KEYS[6], d.page .. ':' .. d.recipient) == ARGV[3] then
    free(KEYS[6], KEYS[5], ARGV[2], tasks, groups, d.page, d.recipient)
  end
end

local function retry()
  redis.call('ZADD', ARGV[1] .. 'retry', d.score, ARGV[3])
  redis.call('HSET', KEYS[1], 'msg', ARGV[6], 'state', 'retry')
  if d.counted then
    count({'processed', 'failed'})
  end
end

local function line_up()
  local line = d.line or h[8]
  redis.call('HSET', KEYS[1], 'state', 'aggregating', 'group', line)
  local page = parse_line(line)
  local holder = d.to == 'park' and redis.call('HGET', KEYS[6], page .. ':' .. d.recipient)
  if holder and holder ~= ARGV[3] and not ended(tasks, holder) then
    park(groups .. line, ARGV[2], line, page, d.recipient, ARGV[3], math.floor(time() / 1000000))
  else
    redis.call('ZADD', groups .. line, d.to == 'head' and 0 or math.floor(time() / 1000000), ARGV[3])
    redis.call('ZADD', KEYS[5], string.format('%.0f', time()), line)
    wake_lookout(ARGV[2])
  end
  redis.call('SADD', KEYS[4], line)
end

if state ~= 'active' or h[2] ~= ARGV[4] then
  note()
  return {'gone'}
end
if d.kind ~= 'sent' and d.kind and sent_record(result) then
  return {'known', result}
end
local unsent = d.kind == 'expired' or d.kind == 'cancelled'
if (unsent or d.kind == 'failed') and mark and not mine or unsent and h[7] then
  return {'marked', h[7] or '0'}
end
if not d.kind and h[5] == '1' then
  return {'cancelled'}
end

redis.call('LREM', KEYS[2], 0, ARGV[3])
redis.call('ZREM', KEYS[3], ARGV[3])
if d.kind then
  finish()
else
  redis.call('HDEL', KEYS[1], 'owner', mine and not d.unknown and 'mark' or 'owner')
  if d.step then
    redis.call('HSET', KEYS[1], 'step', d.step, 'ids', d.ids)
  end
  if d.to == 'retry' then
    retry()
  else
    line_up()
  end
end
if d.adapts or math.max(d.usage_page, d.usage_app) > SLOW_FROM then
  adapt_on_settle(ARGV[2], d.page, ARGV[3], d.ok, d.usage_page, d.usage_app, time())
end
return {'ok'}
