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

-- for_now puts the intervals that a page has for a time (worker/pace/temporary.lua) in place of those of rates. It returns the
-- text, as interval takes it, and when they end; rates and now where there are none.
local function for_now(rates, temporary, now)
  local ends, page, bulk, media = string.match(temporary or '', '^(%d+) (%d+) (%d+) (%d+)$')
  local usual = {string.match(rates or '', '^(%d+) (%d+) (%d+) (%d+) ')}
  if not ends or not usual[1] or tonumber(ends) <= now then
    return rates, now
  end
  for i, us in ipairs({page, bulk, media}) do
    if us ~= '0' then usual[i] = us end
  end
  return table.concat(usual, ' ') .. ' ', tonumber(ends)
end
