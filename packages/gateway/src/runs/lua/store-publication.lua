-- Keeps what publishing a run came to. Of a run that is not known nothing is kept.
-- KEYS: run hash
-- ARGV: publication (JSON)
-- Reply: 1 stored, 0 unknown
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 0 end
redis.call('HSET', KEYS[1], 'publication', ARGV[1])
return 1
