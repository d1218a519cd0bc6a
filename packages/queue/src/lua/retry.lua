-- Lets an ended task wait again with its faults forgotten; one that waits is ready at once.
-- ARGV  4 task id  5 who  6 trigger and  7 priority of an order by hand
-- reply 'queued' | 'waiting' | 'running' | 'absent'
local KEY, ID = KEYS[2], ARGV[4]
local now = now_ms()
local task = load_sound(KEY, now)
local from, project = task.state, project_of(ID)
expect('zset', PARKED)
if not from then
  -- Nothing is left of one that was parked: nobody needs to look at it any more.
  call('ZREM', PARKED, ID)
  return 'absent'
end
if RUNNING[from] then
  if is_abandoned(ID, task) then
    expect_leases(project)
    expect('zset', state_key(from))
    call('ZREM', PARKED, ID)
    abandon(ID, project, now)
    index(ID, from, from, task.updated)
    flush()
    wake()
  end
  return 'running'
end
expect('zset', state_key(from), state_key('waiting'))
expect_places(project)

local change = { state = 'waiting', updated = now, wNotBefore = 0, wUrgent = '1', wFailures = 0, wInfra = 0, wReady = now }
if from == 'waiting' then
  if tonumber(task.wPriority) < tonumber(ARGV[7]) then change.wTrigger, change.wPriority, change.wCommand = ARGV[6], ARGV[7], '' end
  change.wReady = math.min(tonumber(task.wReady), now)
else
  change.wTrigger, change.wPriority, change.wCommand, change.wHead = ARGV[6], ARGV[7], '', task.cHead or ''
  change.wQueued, change.errorCode, change.errorMessage = now, '', ''
end
-- Redis takes this when it is full, and what follows with it.
call('ZREM', PARKED, ID)
note(task, text(now), 'retried', ARGV[5], '')
write(KEY, task, change)
index(ID, from, 'waiting', text(now))
recall(project, task)
place(ID, project, task, now, from == 'waiting')
flush()
wake()
return from == 'waiting' and 'waiting' or 'queued'
