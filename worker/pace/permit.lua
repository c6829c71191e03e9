-- permit is the last question before a send: may this hand send this step of its job now? It marks the job, so that whoever
-- has it next knows that a send was started.
--
-- KEYS[1] asynq:{q}:t:<id>
-- KEYS[2] sendpace:{q}:pause:app
-- KEYS[3] sendpace:{q}:pause:<page>
-- KEYS[4] sendpace:{q}:suppressed:<page>   recipient -> us until which nothing is sent to it
-- KEYS[5] sendpace:{q}:adapt:app
-- KEYS[6] sendpace:{q}:adapt:<page>
-- KEYS[7] sendpace:{q}:broadcast:<id>      how the job's broadcast is to be sent; only for one that has a line of its own
-- ARGV[1] token of the hand
-- ARGV[2] 'resend' or 'never': what to do where an earlier send has no known answer
-- ARGV[3] recipient, as a hash
-- ARGV[4] 1: refuse suppressed recipients
-- ARGV[5] line, where the task does not say right where it goes back to; else empty
-- ARGV[6] the job's slot, us
--
-- Returns {now, 'go', step, resent, ids, adapts}  send the step; resent times its answer was not known before; ids: messages so far;
--                                 adapts is 1 while the pace of the page or of the app adapts
--         {now, 'gone'}                   the job is not in this hand any more
--         {now, 'known', record}          it was sent: an earlier hand learned its answer too late to end it
--         {now, 'cancelled'}              its cancellation was asked for
--         {now, 'paused'}                 the page, or the app, does not send
--         {now, 'rests'}                  its broadcast does not send: it is paused, or its time has not come or is over
--         {now, 'suppressed'}             its recipient cannot be reached
--         {now, 'unknown', ids}           an earlier hand's send has no known answer, and must not be repeated
--
-- Invariant: only the owner gets a 'go', and a job has a mark from before the write of a send until its answer is in Redis.
-- A worker that stalled finds another owner here, or none. One that stalls after this line sends all the same: its mark
-- tells the next owner so, who counts the send as one with no known answer.

local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local stamp = string.format('%.0f', now)
local h = redis.call('HMGET', KEYS[1], 'state', 'owner', 'mark', 'result', 'cancel', 'step', 'resent', 'ids')
local mark, step, resent, ids = h[3], h[6] or '0', tonumber(h[7] or '0'), h[8] or ''

if h[1] ~= 'active' or h[2] ~= ARGV[1] then
  return {stamp, 'gone'}
end
if sent_record(h[4]) then
  return {stamp, 'known', h[4]}
end
if h[5] == '1' then
  return {stamp, 'cancelled'}
end
local paused = redis.call('MGET', KEYS[2], KEYS[3], KEYS[5], KEYS[6])
if paused[1] or paused[2] then
  return {stamp, 'paused'}
end
if KEYS[7] then
  local at = math.max(now, ARGV[6])
  if opens(read_broadcast(KEYS[7]), at) ~= at then
    return {stamp, 'rests'}
  end
end
if ARGV[4] == '1' and tonumber(redis.call('ZSCORE', KEYS[4], ARGV[3]) or 0) > now then
  return {stamp, 'suppressed'}
end
if mark and not starts_with(mark, ARGV[1] .. ' ') then
  if ARGV[2] == 'never' then
    return {stamp, 'unknown', ids}
  end
  resent = resent + 1
  redis.call('HSET', KEYS[1], 'resent', resent)
end
redis.call('HSET', KEYS[1], 'mark', ARGV[1] .. ' ' .. step)
if ARGV[5] ~= '' then
  redis.call('HSET', KEYS[1], 'line', ARGV[5])
end
return {stamp, 'go', step, string.format('%d', resent), ids, (paused[3] or paused[4]) and '1' or '0'}
