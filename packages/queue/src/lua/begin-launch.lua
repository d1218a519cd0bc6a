-- Records that a new run begins. A lease begins one launch: asked again with the same head, it answers that one.
-- KEYS  14 task
-- ARGV  4 task id  5 lease  6 head
-- reply {'begun', launch} | {'lost'} | {'head-moved'}
local KEY, ID, LEASE, HEAD = KEYS[14], ARGV[4], ARGV[5], ARGV[6]
local now = now_ms()
local task = load(KEY, now)
expect('zset', LEASES, INDEX.leased, INDEX.running, INDEX.publishing)
if not is_held(task, LEASE) then return { 'lost' } end
if task.launchLease == LEASE then
  if task.launchHead ~= HEAD then return { 'head-moved' } end
  return { 'begun', task.launch }
end

local from = task.state
local change = { state = 'running', launch = task.launch + 1, launchLease = LEASE, launchHead = HEAD, cHead = HEAD, updated = now }
-- The head that superseded this task before it began is the one that now runs.
if task.interrupt == 'superseded' and task.wHead == HEAD then change.interrupt = '' end
redis.call('ZREM', INDEX[from], ID)
write(KEY, task, change)
index(ID, from, 'running', now)
return { 'begun', task.launch }
