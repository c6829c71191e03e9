-- pace is put before the scripts that reckon with the pace of a line.

-- interval returns the us between two jobs of a line, as its page is configured: the longest interval of all the limits that hold
-- for each of its jobs. rates is the text of sendpace:{q}:rates:<page>, or of rates:default (worker/pace/rates.lua): us between
-- two sends of the page, of bulk, of media and of private replies, and more. It returns 0 if no worker has set them yet.
local function interval(rates, lane, side)
  local page, bulk, media, replies = string.match(rates or '', '^(%d+) (%d+) (%d+) (%d+) ')
  local us = tonumber(page or 0)
  if page and lane == 'bulk' then us = math.max(us, tonumber(bulk)) end
  if page and side == 'media' then us = math.max(us, tonumber(media)) end
  if page and side == 'reply' then us = math.max(us, tonumber(replies)) end
  return us
end

