-- setback is put before every other script of this package, after limits. It holds what is done where Redis's clock went back: it was
-- set, or a failover led to a server whose clock is behind. What was noted before lies ahead then, and would be waited for.

-- By how much the clock may go back, in us, before that is mended. Until it has come as far again what is noted is waited for.
local SET_BACK = 1000000

-- turn_back moves what is known of a page, or of the app, back by some us: the end of its pause, its slots, and how its pace adapts.
local function turn_back(prefix, scope, by, now)
  local v, left = look(prefix, scope, now), redis.call('PTTL', prefix .. 'pause:' .. scope)
  if left > 0 then
    redis.call('PEXPIRE', prefix .. 'pause:' .. scope, string.format('%.0f', math.max(1, left - by / 1000)))
  end
  if v.last.page > now then
    for _, name in ipairs(LIMITS) do v.last[name] = math.max(0, v.last[name] - by) end
    v.span, v.count, v.before = 0, 0, 0
    save_slots(prefix, scope, v, now)
  end
  local a = redis.call('GET', prefix .. 'adapt:' .. scope)
  if a then
    a = read_adapt(a)
    a.at, a.seen = math.max(0, a.at - by), math.max(0, a.seen - by)
    save_adapt(prefix, scope, a)
  end
end

-- turn_all_back does so for all pages, broadcasts and recipients, and makes all lines due. What workers do for the whole fleet for a
-- time another one may do now.
local function turn_all_back(prefix, due, by, now)
  turn_back(prefix, 'app', by, now)
  for _, field in ipairs(redis.call('HKEYS', prefix .. 'outcomes')) do
    local page = string.match(field, '^(%d+):accepted$')
    if page then turn_back(prefix, page, by, now) end
  end
  for _, line in ipairs(redis.call('ZRANGE', due, 0, -1)) do
    local _, _, _, broadcast = parse_line(line)
    local b = broadcast and read_broadcast(prefix .. 'broadcast:' .. broadcast)
    if b and b.last > now then redis.call('HSET', b.key, 'last', string.format('%.0f', b.last - by)) end
    redis.call('ZADD', due, 'LT', string.format('%.0f', now), line)
  end
  local threads = prefix .. 'threads'
  redis.call('ZREMRANGEBYSCORE', threads, '-inf', string.format('%.0f', now + by))
  local ahead = redis.call('ZRANGE', threads, 0, -1, 'WITHSCORES')
  for i = 1, #ahead, 2 do redis.call('ZADD', threads, string.format('%.0f', ahead[i + 1] - by), ahead[i]) end
  redis.call('DEL', prefix .. 'lookout', prefix .. 'reaper', prefix .. 'exporter')
end
