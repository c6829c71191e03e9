-- Tells what the user may not do inside a script.
-- ARGV: a key that the user may use, which is neither read nor written; commands whose keys stand first, as an ACL rule has them,
--   a subcommand behind a |
-- Returns those commands that are not allowed; none if this Redis cannot tell (before 7).
local missing = {}
if not redis.acl_check_cmd then
  return missing
end
for i = 2, #ARGV do
  local words = {}
  for word in string.gmatch(ARGV[i], '[^|]+') do
    words[#words + 1] = word
  end
  -- Redis 7.0 looks for the keys without counting the arguments, and crashes where there are too few.
  for _ = 1, 5 do
    words[#words + 1] = ARGV[1]
  end
  if not redis.acl_check_cmd(unpack(words)) then
    missing[#missing + 1] = ARGV[i]
  end
end
return missing
