-- permit is the last question before a send: may this hand send this step of its job now? It marks the job, so that whoever
-- has it next knows that a send was started. One call asks for several jobs.
--
-- KEYS[1] sendpace:{q}:pause:app
-- KEYS[2] sendpace:{q}:adapt:app
-- KEYS[2+i] asynq:{q}:t:<id> of job i
-- ARGV[1] sendpace:{q}:
-- ARGV[2] 1: refuse suppressed recipients
-- then for each job
--   token of the hand
--   'resend' or 'never': what to do where an earlier send has no known answer
--   page
--   recipient, as a hash
--   line, where the task does not say right where it goes back to; else empty
--   the job's slot, us
--   broadcast, if it has a line of its own; else empty
--
-- Returns for each job
--         {'go', step, resent, ids, adapts}   send the step; resent times its answer was not known before; ids: messages so far;
--                                             adapts is 1 while the pace of the page or of the app adapts
--         {'gone'}           the job is not in this hand any more
--         {'known', record}  it was sent: an earlier hand learned its answer too late to end it
--         {'cancelled'}      its cancellation was asked for
--         {'paused'}         the page, or the app, does not send
--         {'rests'}          its broadcast does not send: it is paused, or its time has not come or is over
--         {'suppressed'}     its recipient cannot be reached
--         {'unknown', ids}   an earlier hand's send has no known answer, and must not be repeated
--         {'error', text}    as each says
--
-- Invariant: only the owner gets a 'go', and a job has a mark from before the write of a send until its answer is in Redis.
-- A worker that stalled finds another owner here, or none. One that stalls after this line sends all the same: its mark
-- tells the next owner so, who counts the send as one with no known answer.

local jobs = jobs_of(3, 7)
local made

-- seldom makes what a job does without that nothing is known of.
local function seldom()
  if made then return made end
  -- here: the shared parts that nothing else needs
  local t = redis.call('TIME')
  local now = t[1] * 1000000 + t[2]

  -- rests is true if a broadcast does not send at a slot.
  local function rests(broadcast, slot)
    local at = math.max(now, slot)
    return opens(read_broadcast(ARGV[1] .. 'broadcast:' .. broadcast), at) ~= at
  end

  made = {now = now, rests = rests, starts_with = starts_with, sent_record = sent_record}
  return made
end

-- What stops the app and the pages of the jobs, and whether their pace adapts: two values for each.
local keys = {KEYS[1], KEYS[2]}
for i, job in ipairs(jobs) do
  keys[2 * i + 1], keys[2 * i + 2] = ARGV[1] .. 'pause:' .. job[3], ARGV[1] .. 'adapt:' .. job[3]
end
local stops = redis.call('MGET', unpack(keys))

local function permit(job)
  local token, unanswered, page, recipient, line, slot, broadcast = unpack(job)
  local task, paused, adapts = KEYS[2 + job.at], stops[2 * job.at + 1], stops[2 * job.at + 2]
  local state, owner, mark, result, cancel, step, resent, ids =
    unpack(redis.call('HMGET', task, 'state', 'owner', 'mark', 'result', 'cancel', 'step', 'resent', 'ids'))
  step, resent, ids = step or '0', resent or '0', ids or ''

  if state ~= 'active' or owner ~= token then
    return {'gone'}
  end
  if result and seldom().sent_record(result) then
    return {'known', result}
  end
  if cancel == '1' then
    return {'cancelled'}
  end
  if stops[1] or paused then
    return {'paused'}
  end
  if broadcast ~= '' and seldom().rests(broadcast, slot) then
    return {'rests'}
  end
  local suppressed = ARGV[2] == '1' and redis.call('ZSCORE', ARGV[1] .. 'suppressed:' .. page, recipient)
  if suppressed and tonumber(suppressed) > seldom().now then
    return {'suppressed'}
  end
  local fields = {'mark', token .. ' ' .. step}
  if mark and not seldom().starts_with(mark, token .. ' ') then
    if unanswered == 'never' then
      return {'unknown', ids}
    end
    resent = string.format('%d', resent + 1)
    fields[3], fields[4] = 'resent', resent
  end
  if line ~= '' then
    fields[#fields + 1] = 'line'
    fields[#fields + 1] = line
  end
  redis.call('HSET', task, unpack(fields))
  return {'go', step, resent, ids, (stops[2] or adapts) and '1' or '0'}
end

return each(jobs, permit)
