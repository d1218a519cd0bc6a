-- Records that the run has a result which is being published.
-- ARGV  4 task id  5 lease
-- reply 'publishing' | 'lost'
local now = now_ms()
local task = load(KEYS[2], now)
if not is_held(task, ARGV[5]) then return 'lost' end
if task.state == 'publishing' then return 'publishing' end

local from = task.state
expect('zset', state_key(from), state_key('publishing'))
local change = { state = 'publishing', updated = now }
call('ZREM', state_key(from), ARGV[4])
note(task, text(now), 'publishing', task.owner or '', '')
write(KEYS[2], task, change)
index(ARGV[4], from, 'publishing', text(now))
flush()
return 'publishing'
