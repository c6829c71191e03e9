-- audit counts, at one moment, what was accepted, where it is and how it ended. It changes nothing.
--
-- KEYS[1] sendpace:{q}:outcomes   '<page>:<outcome>' -> count
-- KEYS[2] asynq:{q}:groups        names of the lines
-- KEYS[3] asynq:{q}:pending
-- KEYS[4] asynq:{q}:active
-- KEYS[5] asynq:{q}:scheduled
-- KEYS[6] asynq:{q}:retry
-- KEYS[7] asynq:{q}:archived
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] asynq:{q}:g:
-- ARGV[3] how many jobs may be looked at beside the archived ones, of which asynq keeps 10,000: Redis does nothing else meanwhile
--
-- Returns {looked, name, count, ...}
--   looked  'all': each job was looked at. 'outside': those outside of the lines were; the lines' were only counted, so that
--           'waiting' has jobs that are not counted as accepted yet, and ids without a job. 'none': all but the archived ones
--           were only counted, and stand under the page '*'
--   name    '<page>:<outcome>', as in KEYS[1], or '<page>:<place>'; the places are waiting, in_hand, archived and, for a job
--           that is not counted as accepted yet, uncounted. An archived job is here only if it was archived by hand: then it
--           has no outcome.
--
-- Invariant: a script that moves a job or ends it writes its count in the same step, so that the sums fit at every moment.

local places, at_most = {}, tonumber(ARGV[3])

local function add(page, place, n)
  local name = string.match(page, '^[^:]*') .. ':' .. place
  places[name] = (places[name] or 0) + n
end

-- note looks at the job of an id. page is that of the line that it is in; nil outside of the lines.
local function note(id, page, place)
  local h = redis.call('HMGET', ARGV[1] .. id, 'state', 'acc')
  if not h[1] or place == 'archived' and h[2] ~= '1' then
    return
  end
  if not page then
    local msg, line = unpack(redis.call('HMGET', ARGV[1] .. id, 'msg', 'line'))
    page = parse_line(msg and address(msg) or line or '')
  end
  add(page, h[2] == '1' and place or 'uncounted', 1)
end

local outside = {
  {KEYS[3], 'waiting', 'list'}, {KEYS[4], 'in_hand', 'list'}, {KEYS[5], 'waiting'}, {KEYS[6], 'waiting'}, {KEYS[7], 'archived'},
}
local lines = redis.call('SMEMBERS', KEYS[2])
local looked, beside, inside = 'all', 0, 0
for _, c in ipairs(outside) do
  c.size = redis.call(c[3] and 'LLEN' or 'ZCARD', c[1])
  beside = beside + (c[2] == 'archived' and 0 or c.size)
end
for i, line in ipairs(lines) do
  lines[i] = {line, redis.call('ZCARD', ARGV[2] .. line)}
  inside = inside + lines[i][2]
end
if beside > at_most then
  looked = 'none'
elseif beside + inside > at_most then
  looked = 'outside'
end

for _, c in ipairs(outside) do
  if looked ~= 'none' or c[2] == 'archived' then
    for _, id in ipairs(redis.call(c[3] and 'LRANGE' or 'ZRANGE', c[1], 0, -1)) do
      note(id, nil, c[2])
    end
  else
    add('*', c[2], c.size)
  end
end
for _, line in ipairs(lines) do
  local page = parse_line(line[1])
  if looked == 'all' then
    for _, id in ipairs(redis.call('ZRANGE', ARGV[2] .. line[1], 0, -1)) do
      note(id, page, 'waiting')
    end
  else
    add(looked == 'none' and '*' or page, 'waiting', line[2])
  end
end

local answer = redis.call('HGETALL', KEYS[1])
for name, n in pairs(places) do
  table.insert(answer, name)
  table.insert(answer, string.format('%d', n))
end
table.insert(answer, 1, looked)
return answer
