-- From its first use on the token of a pod is not replaced any more.
-- KEYS: run hash
-- ARGV: token hash
-- Reply: 1 it is the token of the run, 0 it was replaced meanwhile
if redis.call('HGET', KEYS[1], 'tokenHash') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'tokenUsed', '1')
return 1
