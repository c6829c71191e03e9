-- sweep mends what changed behind the pacer's back: the claims of jobs that ended without it (deleted or archived in
-- asynqmon, archived by asynq after a crash), and lines that came or went while their number stayed the same. It forgets
-- when recipients were last sent to, where that is over.
--
-- KEYS[1] sendpace:{q}:busy
-- KEYS[2] sendpace:{q}:due
-- KEYS[3] asynq:{q}:groups
-- KEYS[4] sendpace:{q}:threads
-- ARGV[1] cursor
-- ARGV[2] sendpace:{q}:
-- ARGV[3] asynq:{q}:t:
-- ARGV[4] asynq:{q}:g:
--
-- Returns the next cursor, 0 at the end. A pass over all claims takes many calls, each a short one.

local t = redis.call('TIME')
local stamp = string.format('%.0f', t[1] * 1000000 + t[2])
if ARGV[1] == '0' then
  sync_lines(KEYS[3], KEYS[2], stamp)
  redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', stamp)
end
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 100)
for i = 1, #found[2], 2 do
  if ended(ARGV[3], found[2][i + 1]) then
    local page, recipient = string.match(found[2][i], '^(.*):([^:]*)$')
    free(KEYS[1], KEYS[2], ARGV[2], ARGV[3], ARGV[4], page, recipient)
  end
end
return found[1]
