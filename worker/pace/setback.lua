-- setback is put before every other script of this package, after limits. It holds what is done where Redis's clock went back: it was
-- set, or a failover led to a server whose clock is behind. What was noted before lies ahead then, and would be waited for.

-- By how much the clock may go back, in us, before that is mended. Until it has come as far again what is noted is waited for.
local SET_BACK = 1000000

-- How many conversations are moved back at most. Of more than that the last ones are forgotten, for Redis stands still meanwhile: the
-- next message of such a one may come too early.
local THREADS_BACK = 20000

-- turn_back moves what is known of a page, or of the app, back by some us where it lies ahead: its slots, and how its pace adapts. What
-- was noted before the clock went ahead stays as it is. A pause lasts no longer than its whole length again, and is never shorter
-- than it was to be: nobody knows by which clock it began.
local function turn_back(prefix, scope, by, now)
  local function back(time, may_be_ahead)
    return time > now + may_be_ahead and math.max(0, time - by) or time
  end

  local pause, slots = prefix .. 'pause:' .. scope, prefix .. 'slots:' .. scope
  local paused, taken, a = unpack(redis.call('MGET', pause, slots, prefix .. 'adapt:' .. scope))
  local length = string.match(paused or '', ',"length_ms":(%d+)}$')
  if length and redis.call('PTTL', pause) > tonumber(length) then
    redis.call('PEXPIRE', pause, length)
  end
  local last = {string.match(taken or '', '^(%d+) (%d+) (%d+) (%d+) ')}
  if last[1] and tonumber(last[1]) > now then
    for i, at in ipairs(last) do last[i] = string.format('%.0f', back(tonumber(at), 0)) end
    redis.call('SET', slots, table.concat(last, ' ') .. ' 0 0 0', 'KEEPTTL')
  end
  if a then
    a = read_adapt(a)
    a.at, a.seen = back(a.at, a.stage == 'probe' and PROBE or 0), back(a.seen, 0)
    save_adapt(prefix, scope, a)
  end
end

-- set_scores writes the scores of a sorted set, each before its member, in a few commands.
local function set_scores(key, scores)
  for i = 1, #scores, 1000 do
    redis.call('ZADD', key, unpack(scores, i, math.min(i + 999, #scores)))
  end
end

-- turn_threads_back does so for the recipients.
local function turn_threads_back(threads, by, now)
  redis.call('ZREMRANGEBYSCORE', threads, '-inf', string.format('%.0f', now + by))
  redis.call('ZREMRANGEBYRANK', threads, THREADS_BACK, -1)
  local ahead, moved = redis.call('ZRANGE', threads, 0, -1, 'WITHSCORES'), {}
  for i = 1, #ahead, 2 do
    moved[i], moved[i + 1] = string.format('%.0f', ahead[i + 1] - by), ahead[i]
  end
  set_scores(threads, moved)
end

-- turn_all_back does so for all pages, broadcasts and recipients, and makes all lines due. What workers do for the whole fleet for a
-- time another one may do now.
local function turn_all_back(prefix, due, by, now)
  local turned = {}
  local function turn(scope)
    if not turned[scope] then
      turned[scope] = true
      turn_back(prefix, scope, by, now)
    end
  end

  turn('app')
  for _, field in ipairs(redis.call('HKEYS', prefix .. 'outcomes')) do turn(string.match(field, '^(.*):') or field) end
  local lines, stamp = {}, string.format('%.0f', now)
  for i, line in ipairs(redis.call('ZRANGE', due, stamp, '+inf', 'BYSCORE')) do
    local page, _, _, broadcast = parse_line(line)
    turn(page)
    local b = broadcast and read_broadcast(prefix .. 'broadcast:' .. broadcast)
    if b and b.last > now then redis.call('HSET', b.key, 'last', string.format('%.0f', b.last - by)) end
    lines[2 * i - 1], lines[2 * i] = stamp, line
  end
  set_scores(due, lines)
  turn_threads_back(prefix .. 'threads', by, now)
  redis.call('DEL', prefix .. 'lookout', prefix .. 'reaper', prefix .. 'exporter')
end
