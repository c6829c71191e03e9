-- ends is put before the scripts that end jobs. It holds how an end is counted in the job's broadcast.

-- How long a broadcast is remembered after it has ended, in seconds; and one that was not made from an audience, whose end nobody
-- can tell, after a job of it has.
local REMEMBERED = 90 * 86400
local ENDS = {'sent', 'failed', 'expired', 'cancelled', 'unknown'}

-- judge ends the test share of a broadcast when all of it has ended: the others follow, unless too many failed.
local function judge(key, due, page, ended, bad, test, limit, now)
  if ended < test then
    return
  end
  if 100 * bad > limit * ended then
    redis.call('HSET', key, 'state', 'paused', 'why', string.format(
      '%d of the first %d jobs, its test share, failed or have no known answer; the limit is %g %%', bad, ended, limit))
    return
  end
  redis.call('HSET', key, 'state', 'running')
  redis.call('ZADD', due, 'XX', string.format('%.0f', now), page .. ':bulk:@' .. string.match(key, '[^:]*$'))
end

-- count_end counts the end of a job in the hash of its broadcast, key. names are the counts that rise: first how it ended, then
-- 'accepted', if nobody has counted it before. now is in us, code that of the failure, as '<code>/<subcode>', and text what it says.
-- Of a broadcast that was made from an audience more is kept: what was sent over time, why jobs failed, and when all had ended.
local function count_end(key, due, page, names, now, code, text)
  for _, name in ipairs(names) do
    redis.call('HINCRBY', key, name, 1)
  end
  local h = redis.call('HMGET', key, 'page', 'bucket', 'state', 'test', 'test_limit', 'rows', 'ended', 'accepted', unpack(ENDS))
  if not h[1] then
    redis.call('EXPIRE', key, REMEMBERED)
    return
  end
  if names[1] == 'sent' then
    redis.call('HINCRBY', key, string.format('at:%d', math.floor(now / 1000000 / math.max(1, tonumber(h[2] or 60)))), 1)
  elseif names[1] == 'failed' then
    redis.call('HINCRBY', key, 'reason:' .. (code or '0/0'), 1)
    redis.call('HSETNX', key, 'text:' .. (code or '0/0'), text or '')
  end
  local ended = 0
  for i = 9, 13 do
    ended = ended + tonumber(h[i] or 0)
  end
  if h[3] == 'testing' then
    judge(key, due, page, ended, tonumber(h[10] or 0) + tonumber(h[13] or 0), tonumber(h[4] or 0), tonumber(h[5] or 0), now)
  end
  -- A job that is sent again is accepted once more than there are rows.
  if h[6] and not h[7] and ended >= math.max(tonumber(h[6]), tonumber(h[8] or 0)) then
    redis.call('HSET', key, 'ended', string.format('%.0f', now))
    redis.call('EXPIRE', key, REMEMBERED)
  end
end

