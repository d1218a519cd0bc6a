-- Asks the holder of a running task to stop. A person's cancelling stays.
-- KEYS  14 task
-- ARGV  4 interrupt
-- reply 'interrupted' | 'absent'
local now = now_ms()
local task = load(KEYS[14], now)
if not RUNNING[task.state] then return 'absent' end

if task.interrupt ~= 'cancelled' then write(KEYS[14], task, { interrupt = ARGV[4] }) end
wake()
return 'interrupted'
