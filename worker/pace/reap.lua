-- reap looks through a part of the jobs in hand for those that nobody will settle: of a worker that died, and of the asking
-- worker where it does not know of them because the answer that handed them out was lost.
--
-- KEYS[1] asynq:{q}:active
-- KEYS[2] asynq:{q}:lease
-- KEYS[3] asynq:{q}:pending
-- KEYS[4] asynq:{q}:groups
-- KEYS[5] sendpace:{q}:due
-- KEYS[6] sendpace:{q}:workers
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] asynq:{q}:g:
-- ARGV[3] id of the asking worker
-- ARGV[4] where to start, from the end of the list: -1 is the job that is in hand the longest
-- ARGV[5] how many to look at
-- ARGV[6] us without a beat after which a worker counts as dead
-- ARGV[7] us after which a worker has surely seen, or lost, the answer that handed it a job
-- ARGV[8] 1: look for the jobs of the dead too
-- ARGV[9] sendpace:{q}:
-- ARGV[10] and on: '<token> <id>' of the hands that are open in the asking worker
--
-- Returns {next, verb, id, token, ...}   next: where to go on, 0 at the end; then three values for each job found:
--         'back'  put back to the head of its line, or of pending if it came from no line
--         'lost'  the list had an id without a task: removed
--
-- Invariant: what is put back has no owner, so that its old hand meets the fence. Its mark stays: a send may have started. A probe
-- that is put back is waited for no more.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local first = tonumber(ARGV[4])
local ids = redis.call('LRANGE', KEYS[1], first - ARGV[5] + 1, first)
local found, removed = {'0'}, 0
local beats, open = {}, {}
for i = 10, #ARGV do
  open[ARGV[i]] = true
end

local function alive(worker)
  if beats[worker] == nil then
    beats[worker] = tonumber(redis.call('ZSCORE', KEYS[6], worker) or 0)
  end
  return now - beats[worker] < tonumber(ARGV[6])
end

-- leased is all that is known of a job in the hands of a worker of an older version.
local function leased(id)
  return tonumber(redis.call('ZSCORE', KEYS[2], id) or 0) * 1000000 > now
end

local function take_out(id)
  removed = removed + redis.call('LREM', KEYS[1], 0, id)
  redis.call('ZREM', KEYS[2], id)
end

local function put_back(id, line)
  take_out(id)
  redis.call('HDEL', ARGV[1] .. id, 'owner')
  if line and line ~= '' then
    redis.call('HSET', ARGV[1] .. id, 'state', 'aggregating', 'group', line)
    redis.call('ZADD', ARGV[2] .. line, 0, id)
    redis.call('SADD', KEYS[4], line)
    redis.call('ZADD', KEYS[5], string.format('%.0f', now), line)
  else
    redis.call('HSET', ARGV[1] .. id, 'state', 'pending')
    redis.call('RPUSH', KEYS[3], id)
  end
end

local function report(verb, id, token)
  for _, value in ipairs({verb, id, token}) do
    found[#found + 1] = value
  end
end

for _, id in ipairs(ids) do
  local h = redis.call('HMGET', ARGV[1] .. id, 'state', 'owner', 'line')
  local worker, since = string.match(h[2] or '', '^(.*):(%d+)$')
  if not h[1] then
    if ARGV[8] == '1' then
      take_out(id)
      report('lost', id, '')
    end
  else
    local held = ARGV[8] ~= '1'
    if worker == ARGV[3] then
      held = open[h[2] .. ' ' .. id] or math.abs(now - since) <= tonumber(ARGV[7]) -- the clock may have gone back
    elseif worker then
      held = held or alive(worker)
    else
      held = held or leased(id)
    end
    if not held then
      put_back(id, h[3])
      local line = h[3] or address(redis.call('HGET', ARGV[1] .. id, 'msg') or '') or ''
      adapt_on_settle(ARGV[9], parse_line(line), id, 0, -1, -1, now)
      report('back', id, h[2] or '')
    end
  end
end
if #ids == tonumber(ARGV[5]) then
  found[1] = string.format('%d', first - #ids + removed)
end
return found
