-- admit decides about a job that a worker has in hand without a slot: one that did not come from a line (it was
-- scheduled, run by an operator, enqueued without a group, or retried), or one that was held up past its slot. A job with
-- a slot comes here if its id does not tell the recipient, to claim it.
--
-- KEYS[1] asynq:{q}:g:<line>     the job's line
-- KEYS[2] sendpace:{q}:rates
-- KEYS[3] sendpace:{q}:busy
-- KEYS[4] sendpace:{q}:pause:app
-- KEYS[5] sendpace:{q}:pause:<page>
-- KEYS[6] sendpace:{q}:due
-- KEYS[7] asynq:{q}:t:<id>
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] sendpace:{q}:
-- ARGV[3] id of the job
-- ARGV[4] line
-- ARGV[5] recipient, as a hash
-- ARGV[6] lead, us
-- ARGV[7] the slot that the job has, us; 0: none
-- ARGV[8] asynq:{q}:g:
-- ARGV[9] token of the hand
--
-- Returns {now, 'job', slot}   the slot, in us, is taken, and the recipient claimed
--         {now, 'head', 0}     to the head of its line: it has been there before
--         {now, 'tail', 0}     to the end of its line: others were first
--         {now, 'park', 0}     behind another job for the same recipient
--         {now, 'gone'}        the job is not in this hand any more
--
-- Invariant: as for take.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local page, lane, media = parse_line(ARGV[4])

if redis.call('HGET', KEYS[7], 'owner') ~= ARGV[9] then
  return {stamp, 'gone'}
end

local function claimed()
  return claim(KEYS[3], KEYS[6], ARGV[2], ARGV[1], ARGV[8], page, ARGV[5], ARGV[3], stamp)
end

if ARGV[7] ~= '0' then
  if claimed() then
    return {stamp, 'job', ARGV[7]}
  end
  return {stamp, 'park', '0'}
end

local before = redis.call('HGET', KEYS[3], page .. ':' .. ARGV[5]) == ARGV[3]
local paused = redis.call('EXISTS', KEYS[4], KEYS[5]) > 0
local state = load_slots(ARGV[2], page)
local slot = next_slot(state, lane, media, now)
if before then
  if paused or slot > now + ARGV[6] then
    return {stamp, 'head', '0'}
  end
else
  if paused or slot > now + ARGV[6] or redis.call('EXISTS', KEYS[1]) == 1 then
    return {stamp, 'tail', '0'}
  end
  if not claimed() then
    return {stamp, 'park', '0'}
  end
end
charge(ARGV[2], page, state, intervals(KEYS[2], page), lane, media, slot, now)
return {stamp, 'job', string.format('%.0f', slot)}
