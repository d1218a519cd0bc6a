-- Lets a lease run on.
-- ARGV  4 task id  5 lease  6 ttl ms
-- reply {'held', interrupt or ''} | {'lost'}
local now = now_ms()
local task = load(KEYS[2], now)
if not is_held(task, ARGV[5]) then return { 'lost' } end

local project = project_of(ARGV[4])
expect_leases(project)
call('ZREM', LEASES, ARGV[4])
hold(ARGV[4], project, text(now + ARGV[6]))
flush()
return { 'held', task.interrupt or '' }
