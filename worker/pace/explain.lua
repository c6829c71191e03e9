-- explain says how fast a page may be sent now, and for each of its lines what the next job waits for. It changes nothing.
--
-- KEYS[1] sendpace:{q}:pause:app
-- ARGV[1] sendpace:{q}:
-- ARGV[2] asynq:{q}:g:   prefix of the lines
-- ARGV[3] page
-- ARGV[4...] its lines
--
-- Returns {percent of the rates, stage of the pace, usage of the page and of the app in percent, sends of the last day counted
-- against the page's and the app's budget, and what binds each line: 'pause', 'probe', 'budget', 'app budget', 'order',
-- 'thread', 'broadcast', or the name of a rate}

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local page = ARGV[3]
local v = look(ARGV[1], page, now)

local function usage(a)
  return now - a.seen < NEWS and a.usage or 0
end

-- slowest is the rate that a line feels when all of its slots are free.
local function slowest(names)
  local worst = 'page'
  for _, name in ipairs(names) do
    if v.every[name] > v.every[worst] then worst = name end
  end
  return worst
end

local function binding(line)
  local _, lane, side, broadcast = parse_line(line)
  local names = limits_of(lane, side)
  local slot, why = next_slot(v, names, now)
  local b = broadcast and read_broadcast(ARGV[1] .. 'broadcast:' .. broadcast)
  local _, spent = rooms(ARGV[1], page, v, slot)
  local first = redis.call('ZRANGE', ARGV[2] .. line, 0, 0, 'WITHSCORES')
  if v.app_paused or v.paused then
    return 'pause'
  elseif v.app.stage == 'probe' or v.own.stage == 'probe' then
    return 'probe'
  elseif spent then
    return spent
  elseif side == 'later' then
    return 'thread'
  elseif b and (opens(b, now) ~= now or b.last + b.every > slot) then
    return 'broadcast'
  elseif first[2] and tonumber(first[2]) >= PARKED then
    return 'order'
  end
  return why or slowest(names)
end

local stage = v.own.stage
if stage == 'steady' or v.app.stage == 'probe' then
  stage = v.app.stage
end
local _, used = room(ARGV[1], page, v.budget, now)
local _, app_used = room(ARGV[1], 'app', v.app_budget, now)
local answer = {
  string.format('%.0f', 100 * v.share), stage, string.format('%.0f', usage(v.own)), string.format('%.0f', usage(v.app)),
  string.format('%.0f', used), string.format('%.0f', app_used),
}
for i = 4, #ARGV do
  table.insert(answer, binding(ARGV[i]))
end
return answer
