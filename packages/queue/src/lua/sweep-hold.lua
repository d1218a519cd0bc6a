-- Takes the right to sweep, or keeps it. Without the prelude.
-- KEYS  1 lock
-- ARGV  1 owner  2 for how long, ms
-- reply 1 held | 0 somebody else's
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
