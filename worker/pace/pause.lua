-- pause stops the sending of a page, or of the whole app, for a time or until a person releases it.
--
-- KEYS[1] sendpace:{q}:pause:<page|app>
-- KEYS[2] sendpace:{q}:strikes:<page|app>  how often in a row a pause of no given length was needed
-- ARGV[1] length, ms; 0: none was given, so it grows from strike to strike; -1: a hold, without end
-- ARGV[2] first length, ms, of one that grows
-- ARGV[3] greatest length, ms, of one that grows
-- ARGV[4] why, as a JSON object
-- ARGV[5] sendpace:{q}:
-- ARGV[6] page, or 'app'
-- ARGV[7] 1: after the pause a probe goes first, and then the pace climbs
-- ARGV[8] 1: a hold because of a missing token
--
-- Returns the ms that are left of the pause, -1 for a hold.
--
-- Invariant: a pause is never made shorter, and none gives way to a hold because of a missing token, which ends as soon as a
-- worker has one. It lasts its length from the last error of calls that were in flight together; they count as one strike and
-- halve the start of a climb once.

local left = redis.call('PTTL', KEYS[1])
local ms = tonumber(ARGV[1])
if left == -1 and for_token(KEYS[1]) then
  left = -2 -- as if there were none
end
if left == -1 or left >= 0 and ARGV[8] == '1' then
  return left
end
if ARGV[7] == '1' then
  local t = redis.call('TIME')
  adapt_on_pause(ARGV[5], ARGV[6], t[1] * 1000000 + t[2])
end
if ms == -1 then
  redis.call('SET', KEYS[1], ARGV[4])
  return -1
end
if ms == 0 then
  local strikes = left >= 0 and tonumber(redis.call('GET', KEYS[2]) or 1) or redis.call('INCR', KEYS[2])
  ms = math.min(tonumber(ARGV[3]), ARGV[2] * 2 ^ math.min(strikes - 1, 30))
  redis.call('PEXPIRE', KEYS[2], string.format('%.0f', 2 * ms + 600000))
end
if left >= ms then
  return left
end
local length = string.format('%.0f', ms)
redis.call('SET', KEYS[1], string.sub(ARGV[4], 1, -2) .. ',"length_ms":' .. length .. '}', 'PX', length) -- setback.lua reads it
return ms
