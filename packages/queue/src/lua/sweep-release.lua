-- Gives up the right to sweep. Without the prelude.
-- KEYS  1 lock
-- ARGV  1 owner
-- reply 1 given up | 0 somebody else's
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
