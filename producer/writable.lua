-- writable tries whether Redis takes a write. It is one that may need memory: while its memory is full Redis still takes others.
--
-- KEYS[1] sendpace:{q}:writable   what is written; it is gone by itself
-- ARGV[1] ms that it stays
--
-- Returns an empty string, or what Redis says to a write. That is no error here: clients of a replica would hide it, and ask again
-- until their time is over.

return redis.pcall('SET', KEYS[1], '1', 'PX', ARGV[1]).err or ''
