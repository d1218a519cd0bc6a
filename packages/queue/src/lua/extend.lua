-- Lets a lease run on.
-- KEYS  14 task
-- ARGV  4 task id  5 lease  6 ttl ms
-- reply {'held', interrupt or ''} | {'lost'}
local now = now_ms()
local task = load(KEYS[14], now)
expect('zset', LEASES)
if not is_held(task, ARGV[5]) then return { 'lost' } end

redis.call('ZREM', LEASES, ARGV[4])
redis.call('ZADD', LEASES, string.format('%.0f', now + ARGV[6]), ARGV[4])
return { 'held', task.interrupt }
