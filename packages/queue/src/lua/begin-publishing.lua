-- Records that the run has a result which is being published.
-- KEYS  14 task
-- ARGV  4 task id  5 lease
-- reply 'publishing' | 'lost'
local now = now_ms()
local task = load(KEYS[14], now)
expect('zset', INDEX.leased, INDEX.running, INDEX.publishing)
if not is_held(task, ARGV[5]) then return 'lost' end
if task.state == 'publishing' then return 'publishing' end

local from = task.state
redis.call('ZREM', INDEX[from], ARGV[4])
write(KEYS[14], task, { state = 'publishing', updated = now })
index(ARGV[4], from, 'publishing', now)
return 'publishing'
