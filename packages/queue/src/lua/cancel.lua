-- Ends a task that waits, or asks the holder of a running one to stop for good; what waits behind it goes as well.
-- ARGV  4 task id  5 why  6 who
-- reply 'cancelled' | 'cancelling' | 'absent'
local KEY, ID = KEYS[2], ARGV[4]
local now = now_ms()
local task = load_sound(KEY, now)
local from, project = task.state, project_of(ID)
expect('zset', PARKED)
if from ~= 'waiting' and not RUNNING[from] then
  -- Nothing is left of one that was parked: nobody needs to look at it any more.
  if not from then call('ZREM', PARKED, ID) end
  return 'absent'
end

local change = { wReady = '', wNotBefore = '', wUrgent = '', wWhy = '' }
for _, name in ipairs(PAYLOAD) do change['w' .. name] = '' end
if RUNNING[from] then
  change.interrupt = 'cancelled'
  local nobody_holds = is_abandoned(ID, task)
  if nobody_holds then
    expect_leases(project)
    expect('zset', state_key(from))
    abandon(ID, project, now + GRACE_MS)
    later(PARKED, ID, false)
    index(ID, from, from, task.updated)
  end
  note(task, text(now), 'cancelling', ARGV[6], '')
  write(KEY, task, change)
  flush()
  wake(ID)
  return 'cancelling'
end

expect_ending(project, from, 'cancelled')
for _, name in ipairs(PAYLOAD) do change['c' .. name] = task['w' .. name] or '' end
change.state, change.outcome, change.why, change.endedAt, change.updated = 'cancelled', 'cancelled', ARGV[5], now, now
call('ZREM', ready_key(project), ID)
not_due(ID, project)
note(task, text(now), 'cancelled', ARGV[6], '')
write(KEY, task, change, ARGV[3])
index(ID, from, 'cancelled', text(now))
count_ended('cancelled', now, 1)
trim('cancelled', now)
later(PARKED, ID, false)
flush()
afterwards(rest, project)
wake()
return 'cancelled'
