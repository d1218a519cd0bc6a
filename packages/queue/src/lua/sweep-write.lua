-- Writes how far a sweep came, if it is still known as it was read. Without the prelude.
-- KEYS  1 progress
-- ARGV  1 the text that was read; '': there was none  2 the new text
-- reply 1 written | 0 it is another text now
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
