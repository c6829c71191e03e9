-- get tells where a job is.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] asynq:{q}:scheduled
-- KEYS[3] asynq:{q}:retry
-- ARGV[1] id of the job
-- ARGV[2] asynq:{q}:g:
-- ARGV[3] sendpace:{q}:
--
-- Returns {state, message, line, place, at, cancel, result, eta, stop}: as asynq names the state; the place in the line, from 1,
-- 0 outside of the lines; at, in unix seconds, for a scheduled or retried job; eta, in us, when the job's turn comes, 0 if that is
-- not known; stop, 'pause', 'hold' or 'broadcast'. Empty for what there is not. Nil if there is no job.

local h = redis.call('HMGET', KEYS[1], 'state', 'msg', 'group', 'line', 'cancel', 'result')
local state = h[1]
if not state or not h[2] then
  return nil
end

-- A turn that is further away, in us, is as good as unknown. The rates of a page that is all but stopped would make it more than
-- a date can hold.
local CENTURY = 100 * 365 * 86400 * 1000000

-- plan reads what a broadcast has set: how long until it starts and the interval of its own pace, in us, and what stops it. The
-- interval is nil where it does not tell when a turn comes: in a window of the day, and while a test share is out.
local function plan(broadcast, now)
  if broadcast == '' then
    return 0, 0, ''
  end
  local h = redis.call('HMGET', ARGV[3] .. 'broadcast:' .. broadcast, 'state', 'start', 'every', 'window')
  local state = h[1] or 'running'
  local every = state == 'running' and not h[4] and tonumber(h[3] or 0) or nil
  return math.max(0, tonumber(h[2] or 0) - now), every, (state == 'running' or state == 'testing') and '' or 'broadcast'
end

-- forecast returns when the turn of a job in a line comes, and what stops its page, or its broadcast.
local function forecast(line, place)
  local page, lane, side, broadcast = string.match(line, '^(%d+):(%a+):?(%a*)@?(.*)$')
  if not page then
    return 0, ''
  end
  local t = redis.call('TIME')
  local now = t[1] * 1000000 + t[2]
  local app, own = redis.call('PTTL', ARGV[3] .. 'pause:app'), redis.call('PTTL', ARGV[3] .. 'pause:' .. page)
  if app == -1 or own == -1 then
    return 0, 'hold'
  end
  local left = math.max(app, own, 0) * 1000
  local to_start, least, stop = plan(broadcast, now)
  if left > 0 then stop = 'pause' end
  local rates = redis.call('GET', ARGV[3] .. 'rates:' .. page) or redis.call('GET', ARGV[3] .. 'rates:default')
  local every = interval(rates, lane, side)
  if every == 0 or place == 0 or not least then
    return 0, stop
  end
  local wait = math.max(left, to_start)
  local brief, ends = for_now(rates, redis.call('GET', ARGV[3] .. 'temporary:' .. page), now)
  local brief_every = math.max(interval(brief, lane, side), least)
  local first = math.min(place, math.max(0, math.floor((ends - now - wait) / brief_every))) -- those that go at a temporary rate
  if first < place then
    wait = math.max(wait, ends - now) + (place - first) * math.max(every, least)
  else
    wait = wait + first * brief_every
  end
  return wait > CENTURY and 0 or now + wait, stop
end

local line, place, at, eta, stop = h[3] or '', 0, '', 0, ''
if state == 'aggregating' then
  place = (redis.call('ZRANK', ARGV[2] .. line, ARGV[1]) or -1) + 1
  eta, stop = forecast(line, place)
elseif state == 'active' then
  line = h[4] or ''
else
  line = ''
  if state == 'scheduled' or state == 'retry' then
    at = redis.call('ZSCORE', state == 'retry' and KEYS[3] or KEYS[2], ARGV[1]) or ''
  end
end
return {
  state, h[2], line, string.format('%.0f', place), at, h[5] or '', h[6] or '', string.format('%.0f', eta), stop,
}
