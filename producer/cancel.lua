-- cancel ends a job that no worker has in hand, or asks the worker that has it not to send it.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:groups
-- KEYS[3] asynq:{q}:pending
-- KEYS[4] asynq:{q}:scheduled
-- KEYS[5] asynq:{q}:retry
-- KEYS[6] asynq:{q}:completed
-- KEYS[7] sendpace:{q}:due
-- KEYS[8] sendpace:{q}:busy
-- KEYS[9] sendpace:{q}:outcomes                     '<page>:<outcome>' -> count
-- KEYS[10] sendpace:{q}:broadcast:<id>              the job's broadcast; KEYS[9] if it has none
-- KEYS[11] sendpace:{q}:stream                      outcome records
-- KEYS[12] sendpace:{q}:parked:<page>:<recipient>   jobs that stepped aside for another one to the same recipient
-- KEYS[13] the lock of a unique task; only for one
-- ARGV[1] id of the job
-- ARGV[2] asynq:{q}:t:
-- ARGV[3] asynq:{q}:g:
-- ARGV[4] page
-- ARGV[5] recipient, as a hash; empty if it is not known
-- ARGV[6] outcome: 'cancelled', or 'unknown' for a job of which a send was started
-- ARGV[7] outcome record for the stream
-- ARGV[8] outcome record for the task's result
-- ARGV[9] about how many records the stream keeps
-- ARGV[10] until when the ended task is kept, unix seconds; 0: not at all
-- ARGV[11] message of the ended task
-- ARGV[12...] the fields msg, mark, step, ids, resent and result that the records were made from; empty: not there
--
-- Returns 'cancelled'   the job has ended, as ARGV[6] says
--         'in hand'     a worker has it, and is asked not to send it
--         'ended'       it has ended before, or has been sent and its outcome is about to be written
--         'not found'   there is no such job
--         'changed'     the fields are others now: read them and call again
--
-- Invariant: A job that ends here is in none of asynq's collections afterwards but completed, and ends in exactly one outcome,
-- counted and written to the stream with it. If others stepped aside for it, the first of them is looked at next: it finds
-- that the claim on the recipient is that of an ended job. What its broadcast waits for, the end of its test share or of all jobs,
-- is noted in the same step.

local h = redis.call('HMGET', KEYS[1], 'state', 'group', 'acc', 'msg', 'mark', 'step', 'ids', 'resent', 'result')
local state, group = h[1], h[2]
if not state then
  return 'not found'
end
if state == 'archived' or state == 'completed' then
  return 'ended'
end
if state == 'active' then
  redis.call('HSET', KEYS[1], 'cancel', '1')
  return 'in hand'
end
for i = 4, 9 do
  if (h[i] or '') ~= ARGV[8 + i] then
    return 'changed'
  end
end
local sent, record = pcall(cjson.decode, h[9] or '')
if sent and type(record) == 'table' and record.outcome == 'sent' then
  return 'ended'
end

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)

local function take_out()
  if state == 'aggregating' then
    redis.call('ZREM', ARGV[3] .. group, ARGV[1])
    if redis.call('EXISTS', ARGV[3] .. group) == 0 then
      redis.call('SREM', KEYS[2], group)
      redis.call('ZREM', KEYS[7], group)
    end
  elseif state == 'pending' then
    redis.call('LREM', KEYS[3], 0, ARGV[1])
  else
    redis.call('ZREM', state == 'retry' and KEYS[5] or KEYS[4], ARGV[1])
  end
  redis.call('ZREM', KEYS[12], ARGV[1])
end

-- next_in_turn brings the first job that stepped aside for this one to the head of its line.
local function next_in_turn()
  if redis.call('HGET', KEYS[8], ARGV[4] .. ':' .. ARGV[5]) ~= ARGV[1] then
    return
  end
  while true do
    local id = redis.call('ZRANGE', KEYS[12], 0, 0)[1]
    local line = id and redis.call('HGET', ARGV[2] .. id, 'group')
    if line and redis.call('ZSCORE', ARGV[3] .. line, id) then
      redis.call('ZADD', ARGV[3] .. line, 0, id)
      redis.call('ZADD', KEYS[7], stamp, line)
      return
    end
    if not id then
      redis.call('HDEL', KEYS[8], ARGV[4] .. ':' .. ARGV[5])
      return
    end
    redis.call('ZREM', KEYS[12], id)
  end
end

local function keep_or_delete()
  if KEYS[13] and redis.call('GET', KEYS[13]) == ARGV[1] then
    redis.call('DEL', KEYS[13])
  end
  if ARGV[10] == '0' then
    redis.call('DEL', KEYS[1])
    return
  end
  redis.call('HSET', KEYS[1], 'state', 'completed', 'msg', ARGV[11], 'result', ARGV[8])
  redis.call('HDEL', KEYS[1], 'owner', 'mark', 'cancel', 'acc', 'resent')
  redis.call('ZADD', KEYS[6], ARGV[10], ARGV[1])
end

local function count()
  local names = h[3] == '1' and {ARGV[6]} or {ARGV[6], 'accepted'}
  for _, name in ipairs(names) do
    redis.call('HINCRBY', KEYS[9], ARGV[4] .. ':' .. name, 1)
  end
  if KEYS[10] ~= KEYS[9] then
    count_end(KEYS[10], KEYS[7], ARGV[4], names, now)
  end
end

take_out()
keep_or_delete()
next_in_turn()
count()
redis.call('XADD', KEYS[11], 'MAXLEN', '~', ARGV[9], '*', 'o', ARGV[7])
return 'cancelled'
