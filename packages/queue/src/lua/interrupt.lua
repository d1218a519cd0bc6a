-- Asks the holder of a running task to stop. A person's cancelling stays.
-- ARGV  4 interrupt  5 task id
-- reply 'interrupted' | 'absent'
local now = now_ms()
local task = load(KEYS[2], now)
if not RUNNING[task.state] then return 'absent' end

local change = {}
if task.interrupt ~= 'cancelled' then change.interrupt = ARGV[4] end
note(task, text(now), 'interrupted', 'server', ARGV[4])
write(KEYS[2], task, change)
wake(ARGV[5])
return 'interrupted'
