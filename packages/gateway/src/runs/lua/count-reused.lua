-- Counts a call that was answered from the answer store. Of a run that is not known nothing is counted.
-- KEYS: run hash, day hash
-- ARGV: seconds to keep the day
-- Reply: 1 counted, 0 unknown
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 0 end
for _, key in ipairs(KEYS) do redis.call('HINCRBY', key, 'reused', '1') end
redis.call('EXPIRE', KEYS[2], ARGV[1])
return 1
