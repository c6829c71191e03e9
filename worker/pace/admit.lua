-- admit decides about a job that a worker has in hand without a slot: one that did not come from a line (it was
-- scheduled, run by an operator, enqueued without a group, or retried), or one that was held up past its slot. A job with
-- a slot comes here if its id does not tell the recipient, to claim it.
--
-- KEYS[1] asynq:{q}:g:<line>     the job's line
-- KEYS[2] sendpace:{q}:busy
-- KEYS[3] sendpace:{q}:due
-- KEYS[4] asynq:{q}:t:<id>
-- ARGV[1] asynq:{q}:t:
-- ARGV[2] sendpace:{q}:
-- ARGV[3] id of the job
-- ARGV[4] line
-- ARGV[5] recipient, as a hash
-- ARGV[6] lead, us
-- ARGV[7] the slot that the job has, us; 0: none
-- ARGV[8] asynq:{q}:g:
-- ARGV[9] class of the job
-- ARGV[10] token of the hand
--
-- Returns {now, 'slot', slot, number}  the slot, in us, is taken, and the recipient claimed; number: as charge_rates gave it, 0 for
--                              the slot that the job has
--         {now, 'head', 0}     to the head of its line: it has been there before
--         {now, 'tail', 0}     to the end of its line: others were first
--         {now, 'park', 0}     behind another job for the same recipient
--         {now, 'gone'}        the job is not in this hand any more
--
-- Invariant: as for take.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local page, lane, side, broadcast = parse_line(ARGV[4])

if redis.call('HGET', KEYS[4], 'owner') ~= ARGV[10] then
  return {stamp, 'gone'}
end

local v = look(ARGV[2], page, now)
-- What is held up by the spacing of its conversation alone is waited for.
local horizon = now + ARGV[6] + v.thread

local function claimed()
  return claim(KEYS[2], KEYS[3], ARGV[2], ARGV[1], ARGV[8], page, ARGV[5], ARGV[3])
end

local has = tonumber(ARGV[7])
if has > 0 then
  if not claimed() then
    return {stamp, 'park', '0'}
  -- A slot further ahead than a lead is of before the clock went back.
  elseif has <= now + ARGV[6] and thread_free(ARGV[2], page, v, ARGV[5]) <= has then
    space_thread(ARGV[2], page, v, ARGV[5], has)
    return {stamp, 'slot', ARGV[7], '0'}
  end
end

local before = redis.call('HGET', KEYS[2], page .. ':' .. ARGV[5]) == ARGV[3]
local names = limits_of(lane, side, ARGV[9])
local slot = math.max(next_slot(v, names, now), thread_free(ARGV[2], page, v, ARGV[5]))
local b = broadcast and read_broadcast(ARGV[2] .. 'broadcast:' .. broadcast)
local stands = v.app_paused or v.paused or probing(v.app, now) or probing(v.own, now)
if b then
  slot = math.max(slot, b.last + b.every)
  -- Only its own line tells whether a job that was not handed out before is of the test share.
  stands = stands or opens(b, slot) ~= slot or b.state == 'testing' and not before
end
if stands or slot > horizon or rooms(ARGV[2], page, v, slot) > slot then
  return {stamp, before and 'head' or 'tail', '0'}
end
if not before then
  if redis.call('EXISTS', KEYS[1]) == 1 then
    return {stamp, 'tail', '0'}
  end
  if not claimed() then
    return {stamp, 'park', '0'}
  end
end
local number = charge_rates(v, names, slot)
charge_rest(ARGV[2], page, v, slot, now, ARGV[3])
save_slots(ARGV[2], page, v, now)
space_thread(ARGV[2], page, v, ARGV[5], slot)
use_turn(ARGV[2], page, v.shares, ARGV[4], b, slot)
return {stamp, 'slot', string.format('%.0f', slot), string.format('%d', number)}
