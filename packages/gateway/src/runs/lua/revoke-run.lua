-- Revokes a run for good. One that is not known stays so.
-- KEYS: run hash
-- ARGV: none
-- Reply: 1 revoked, 0 unknown
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'revoked', '1')
return 1
