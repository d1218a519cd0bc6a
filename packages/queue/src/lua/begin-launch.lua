-- Records that a new run begins. A lease begins one launch: asked again with the same head, it answers that one.
-- ARGV  4 task id  5 lease  6 head  7 what the history says
-- reply {'epoch'}: it must be renewed first (epoch.lua) | {'begun', launch} | {'lost'} | {'head-moved'}
local KEY, ID, LEASE, HEAD = KEYS[2], ARGV[4], ARGV[5], ARGV[6]
local now = now_ms()
local task = load_sound(KEY, now)
local epoch = number(fields_of(CLOCK, 'epoch')[1])
if not epoch then return { 'epoch' } end
if not is_held(task, LEASE) then return { 'lost' } end
if task.launchLease == LEASE then
  if task.launchHead ~= HEAD then return { 'head-moved' } end
  return { 'begun', task.launch }
end

local from = task.state
expect('zset', state_key(from), state_key('running'))
local change = { state = 'running', launch = next_number(task.launch, epoch), launchLease = LEASE }
change.launchHead, change.cHead, change.updated = HEAD, HEAD, now
-- The head that superseded this task before it began is the one that now runs.
if task.interrupt == 'superseded' and task.wHead == HEAD then change.interrupt = '' end
call('ZREM', state_key(from), ID)
note(task, text(now), 'launched', task.owner or '', ARGV[7] .. '|' .. text(change.launch))
write(KEY, task, change)
index(ID, from, 'running', text(now))
flush()
return { 'begun', task.launch }
