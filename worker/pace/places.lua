-- places tells of some jobs whether each is in exactly one of asynq's collections. It changes nothing.
--
-- KEYS[1] asynq:{q}:pending
-- KEYS[2] asynq:{q}:active
-- KEYS[3] asynq:{q}:scheduled
-- KEYS[4] asynq:{q}:retry
-- KEYS[5] asynq:{q}:archived
-- KEYS[6] asynq:{q}:completed
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] asynq:{q}:g:
-- ARGV[3] the collection that the ids were found in; empty: their tasks were found
-- ARGV[4...] ids
--
-- Returns {id, verb, page, where, ...}, four values for each job that something is wrong with:
--         'lost'     its task is in no collection
--         'ghost'    its id is in a collection, where, and there is no task
--         'doubled'  its id is in more than one collection, or twice in one: where lists them
--
-- Each job is in exactly one collection at every moment, so that what is wrong here is no job on its way.

local sorted = {KEYS[3], KEYS[4], KEYS[5], KEYS[6]}
local SIDES = {'', ':media', ':reply', ':later'}
local found, lists = {}, nil

-- line_of is the line whose key it is; '' for another key.
local function line_of(key)
  return starts_with(key, ARGV[2]) and string.sub(key, #ARGV[2] + 1) or ''
end

-- listed names the lists that an id is in, once for each time.
local function listed(id)
  if not lists then
    lists = {}
    for i = 1, 2 do
      for _, member in ipairs(redis.call('LRANGE', KEYS[i], 0, -1)) do
        lists[member] = lists[member] or {}
        table.insert(lists[member], KEYS[i])
      end
    end
  end
  return lists[id] or {}
end

-- places lists the keys that have an id. lines has the names of lines that it may be in, beside those of the lanes.
local function places(id, page, lines)
  local where = {}
  for _, key in ipairs(listed(id)) do
    table.insert(where, key)
  end
  for _, key in ipairs(sorted) do
    if redis.call('ZSCORE', key, id) then table.insert(where, key) end
  end
  for _, side in ipairs(SIDES) do
    lines[page .. ':realtime' .. side], lines[page .. ':bulk' .. side] = true, true
  end
  for line in pairs(lines) do
    if redis.call('ZSCORE', ARGV[2] .. line, id) then table.insert(where, ARGV[2] .. line) end
  end
  return where
end

-- still is true if an id is in the collection that it was found in.
local function still(id)
  if ARGV[3] == KEYS[1] or ARGV[3] == KEYS[2] then
    return #listed(id) > 0
  end
  return ARGV[3] ~= '' and redis.call('ZSCORE', ARGV[3], id)
end

local function report(id, verb, page, where)
  for _, value in ipairs({id, verb, page, where}) do
    table.insert(found, value)
  end
end

for i = 4, #ARGV do
  local id = ARGV[i]
  local h = redis.call('HMGET', ARGV[1] .. id, 'state', 'msg', 'group', 'line')
  if h[1] then
    local home = h[2] and address(h[2]) or h[4] or ''
    local page = parse_line(home ~= '' and home or h[3] or '')
    local where = places(id, page, {[home] = true, [h[4] or ''] = true, [h[3] or ''] = true, [line_of(ARGV[3])] = true})
    if #where ~= 1 then
      report(id, #where == 0 and 'lost' or 'doubled', page, table.concat(where, ' '))
    end
  elseif still(id) then
    report(id, 'ghost', parse_line(line_of(ARGV[3])), ARGV[3])
  end
end
return found
