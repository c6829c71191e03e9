-- explain says how fast a page may be sent now, and for each of its lines what the next job waits for. It changes nothing.
--
-- KEYS[1] sendpace:{q}:pause:app
-- ARGV[1] sendpace:{q}:
-- ARGV[2] asynq:{q}:g:   prefix of the lines
-- ARGV[3] page
-- ARGV[4...] its lines
--
-- Returns {percent of the rates, stage of the pace, usage of the page and of the app in percent, sends of the last day counted
-- against the page's and the app's budget, 'page' or 'app': whose stage it is, the time that the stage ends at the latest, the
-- times of the news of usage of the page and of the app, and for each line what binds it: 'pause', 'probe', 'budget',
-- 'app budget', 'order', 'thread', 'broadcast', or the name of a rate, and the time that this lets the next job go}. Times are in
-- us; 0 is for one that is not known.

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
  local free_at, spent = rooms(ARGV[1], page, v, slot)
  local first = redis.call('ZRANGE', ARGV[2] .. line, 0, 0, 'WITHSCORES')
  local score = tonumber(first[2] or 0)
  if v.app_paused or v.paused then
    return 'pause', 0
  elseif v.app.stage == 'probe' or v.own.stage == 'probe' then
    return 'probe', math.max(probing(v.app, now) and v.app.at or 0, probing(v.own, now) and v.own.at or 0)
  elseif spent then
    return spent, free_at
  elseif side == 'later' then
    return 'thread', score * 1000000
  elseif b and (opens(b, now) ~= now or b.last + b.every > slot) then
    return 'broadcast', opens(b, math.max(slot, b.last + b.every)) or 0
  elseif score >= STEPPED then
    return 'order', 0
  end
  return why or slowest(names), slot
end

local of = 'page'
local a = v.own
if a.stage == 'steady' or v.app.stage == 'probe' then
  of, a = 'app', v.app
end
local stage_end = a.stage == 'probe' and a.at or climbing(a, now) and a.at + CLIMB or 0
local _, used = room(ARGV[1], page, v.budget, now)
local _, app_used = room(ARGV[1], 'app', v.app_budget, now)
local answer = {
  string.format('%.0f', 100 * v.share), a.stage, string.format('%.0f', usage(v.own)), string.format('%.0f', usage(v.app)),
  string.format('%.0f', used), string.format('%.0f', app_used), of, string.format('%.0f', stage_end),
  string.format('%.0f', v.own.seen), string.format('%.0f', v.app.seen),
}
for i = 4, #ARGV do
  local why, time = binding(ARGV[i])
  table.insert(answer, why)
  table.insert(answer, string.format('%.0f', time))
end
return answer
