-- control changes the state of a broadcast. producer/rediskeys/ends.lua is put before it.
--
-- KEYS[1] sendpace:{q}:broadcast:<name>
-- KEYS[2] asynq:{q}:g:<line>
-- KEYS[3] sendpace:{q}:due
-- ARGV[1] 'finish' (all rows are stored), 'pause', 'resume' or 'cancel'
-- ARGV[2] line
-- ARGV[3] finish: number of the last row; pause: why
-- ARGV[4] finish, resume: least time between two sends, us; 0: none
-- ARGV[5] finish: seconds a bucket of the counts over time
--
-- Returns {'ok', state}     it is in that state now; if nothing had to be done, too
--         {'ended', state}  nothing was written: it has come to its end before
--         {'at', cursor}    nothing was written: not all rows are stored yet
--         {'gone'}          there is no such broadcast
--
-- Invariants: One that is not stored whole is never running or testing. One that was cancelled stays so. Its size (rows) is set
-- once, when no more of its jobs can be stored; if all of them have ended by then, it has ended. A test share of which all ended
-- while it was paused by hand is judged when it is resumed.

local h = redis.call('HMGET', KEYS[1], 'digest', 'state', 'loaded', 'rows', 'accepted', 'page', 'ended', unpack(ENDS))
if not h[1] then
  return {'gone'}
end
local state, rows = h[2] or 'running', h[4] and tonumber(h[4])
local gone = 0
for i = 8, 12 do
  gone = gone + tonumber(h[i] or 0)
end
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]

local function set(to)
  state = to
  redis.call('HSET', KEYS[1], 'state', to)
  redis.call('ZADD', KEYS[3], 'XX', string.format('%.0f', now), ARGV[2])
end

-- go lets it send, if it is stored whole: everybody, or its test share as long as that was not judged.
local function go()
  local s = redis.call('HMGET', KEYS[1], 'test', 'test_limit', 'unjudged')
  local test = tonumber(s[1] or 0)
  redis.call('HDEL', KEYS[1], 'why', 'unjudged')
  if not rows then
    set('loading')
  elseif gone < test or s[3] then
    set('testing')
    judge(KEYS[1], KEYS[3], h[6], gone, tonumber(h[9] or 0) + tonumber(h[12] or 0), test, tonumber(s[2] or 0), now)
    state = redis.call('HGET', KEYS[1], 'state')
  else
    set('running')
  end
end

-- close sets the size, and the end if there is nothing left to wait for.
local function close()
  rows = tonumber(h[5] or 0)
  redis.call('HSET', KEYS[1], 'rows', rows)
  if gone >= rows then
    redis.call('HSET', KEYS[1], 'ended', string.format('%.0f', now))
    redis.call('EXPIRE', KEYS[1], REMEMBERED)
  end
end

if ARGV[1] == 'finish' then
  if rows then
    return {'ok', state}
  end
  if h[3] ~= ARGV[3] then
    return {'at', h[3] or '0'}
  end
  redis.call('HSET', KEYS[1], 'every', ARGV[4], 'bucket', ARGV[5])
  close()
  if state == 'loading' then
    go()
  end
  return {'ok', state}
end

-- What is sent again after the end can be controlled until it has ended too.
if h[7] and gone >= tonumber(h[5] or 0) or state == 'cancelled' and ARGV[1] ~= 'cancel' then
  return {'ended', state}
end
if ARGV[1] == 'pause' and state ~= 'paused' then
  if state == 'testing' then
    redis.call('HSET', KEYS[1], 'unjudged', '1')
  end
  redis.call('HSET', KEYS[1], 'why', ARGV[3])
  set('paused')
elseif ARGV[1] == 'resume' and state == 'paused' then
  redis.call('HSET', KEYS[1], 'every', ARGV[4])
  go()
elseif ARGV[1] == 'cancel' and state ~= 'cancelled' then
  redis.call('HDEL', KEYS[1], 'why')
  set('cancelled')
  if not rows then
    close()
  end
end
return {'ok', state}
