-- Gives a lease up while the agent of its launch goes on: whoever leases next takes the task over as it is. That nobody
-- owns a task that runs says to lease.lua that this is no fault.
-- ARGV  4 task id  5 lease
-- reply 'handed-over' | 'lost'
local now = now_ms()
local task = load(KEYS[2], now)
if not is_held(task, ARGV[5]) then return 'lost' end
if not task.owner then return 'handed-over' end

local project = project_of(ARGV[4])
expect_leases(project)
expect('zset', state_key(task.state))
call('ZREM', LEASES, ARGV[4])
hold(ARGV[4], project, text(now))
note(task, text(now), 'released', task.owner, 'handed-over')
write(KEYS[2], task, { owner = '', updated = now })
index(ARGV[4], task.state, task.state, text(now))
flush()
wake()
return 'handed-over'
