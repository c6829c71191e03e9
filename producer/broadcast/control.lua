-- control changes the state of a broadcast.
--
-- KEYS[1] sendpace:{q}:broadcast:<name>
-- KEYS[2] asynq:{q}:g:<line>
-- KEYS[3] sendpace:{q}:due
-- ARGV[1] 'finish' (all rows are stored), 'pause', 'resume' or 'cancel'
-- ARGV[2] line
-- ARGV[3] how long the settings and counts of one that has ended are kept, s
-- ARGV[4] finish: number of the last row; pause: why
-- ARGV[5] finish, resume: least time between two sends, us; 0: none
-- ARGV[6] finish: seconds a bucket of the counts over time
--
-- Returns {'ok', state}     it is in that state now; if nothing had to be done, too
--         {'ended', state}  nothing was written: it has come to its end before
--         {'at', cursor}    nothing was written: not all rows are stored yet
--         {'gone'}          there is no such broadcast
--
-- Invariants: One that is not stored whole is never running or testing. One that was cancelled stays so. Its size (rows) is set
-- once, when no more of its jobs can be stored; if all of them have ended by then, it has ended.

local h = redis.call('HMGET', KEYS[1], 'digest', 'state', 'loaded', 'rows', 'accepted', 'test', 'ended',
  'sent', 'failed', 'expired', 'cancelled', 'unknown')
local state, rows, test = h[2] or 'running', h[4] and tonumber(h[4]), tonumber(h[6] or 0)
local gone = 0
for i = 8, 12 do gone = gone + tonumber(h[i] or 0) end
if not h[1] then
  return {'gone'}
end
local t = redis.call('TIME')
local now = string.format('%.0f', t[1] * 1000000 + t[2])

-- go is the state of one that may send.
local function go()
  if not rows then
    return 'loading'
  end
  return gone < test and 'testing' or 'running'
end

local function set(to, why)
  redis.call('HSET', KEYS[1], 'state', to)
  redis.call('HDEL', KEYS[1], 'why')
  if why then
    redis.call('HSET', KEYS[1], 'why', why)
  end
  if redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('ZADD', KEYS[3], now, ARGV[2])
  end
  state = to
end

-- close sets the size, and the end if there is nothing left to wait for.
local function close()
  rows = tonumber(h[5] or 0)
  redis.call('HSET', KEYS[1], 'rows', rows)
  if gone >= rows and not h[7] then
    redis.call('HSET', KEYS[1], 'ended', now)
    redis.call('EXPIRE', KEYS[1], ARGV[3])
  end
end

if ARGV[1] == 'finish' then
  if rows then
    return {'ok', state}
  end
  if h[3] ~= ARGV[4] then
    return {'at', h[3] or '0'}
  end
  redis.call('HSET', KEYS[1], 'every', ARGV[5], 'bucket', ARGV[6])
  close()
  if state == 'loading' then
    set(go())
  end
  return {'ok', state}
end

if h[7] or state == 'cancelled' and ARGV[1] ~= 'cancel' then
  return {'ended', state}
end
if ARGV[1] == 'pause' and state ~= 'paused' then
  set('paused', ARGV[4])
elseif ARGV[1] == 'resume' and state == 'paused' then
  redis.call('HSET', KEYS[1], 'every', ARGV[5])
  set(go())
elseif ARGV[1] == 'cancel' and state ~= 'cancelled' then
  set('cancelled')
  if not rows then
    close()
  end
end
return {'ok', state}
