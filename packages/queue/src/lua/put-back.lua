-- Lets a held task wait again, together with what came in meanwhile. One that was cancelled ends.
-- ARGV  4 task id  5 lease  6 delay ms  7 why, or ''  8 what the history says  9 why it ends if it was cancelled
--       10 '1': after a fault, and  11 failures  12 infra failures  13 code  14 message
-- reply {'back', delay ms, failures} | {'cancelled'} | {'lost'}
local KEY, ID, DELAY = KEYS[2], ARGV[4], tonumber(ARGV[6])
local now = now_ms()
local task = load_sound(KEY, now)
if not is_held(task, ARGV[5]) then return { 'lost' } end

local from, project, is_fault = task.state, project_of(ID), ARGV[10] == '1'
expect_leases(project)
if task.interrupt == 'cancelled' then
  expect_ending(project, from, 'cancelled')
  local ending = { outcome = 'cancelled', why = ARGV[9], detail = ARGV[9] }
  if is_fault then ending.failures, ending.infra, ending.code, ending.message = ARGV[11], ARGV[12], ARGV[13], ARGV[14] end
  settle(KEY, ID, project, task, now, ending)
  flush()
  wake()
  return { 'cancelled' }
end
expect('zset', state_key(from), state_key('waiting'))
expect_places(project)

local failures, infra = task.cFailures or 0, task.cInfra or 0
local change = { state = 'waiting', updated = now, interrupt = '', wWhy = ARGV[7] }
if is_fault then
  failures, infra, change.errorCode, change.errorMessage = ARGV[11], ARGV[12], ARGV[13], ARGV[14]
end
change.wNotBefore, change.wReady, change.wUrgent = now + DELAY, now + DELAY, ''
if not task.wTrigger then
  for _, name in ipairs(PAYLOAD) do change['w' .. name] = task['c' .. name] or '' end
  change.wFailures, change.wInfra = failures, infra
else
  if tonumber(task.cPriority) > tonumber(task.wPriority) then
    change.wTrigger, change.wPriority, change.wCommand = task.cTrigger, task.cPriority, task.cCommand or ''
  end
  if not task.wHead then change.wHead = task.cHead or '' end
  if not task.wHead or not task.cHead or task.wHead == task.cHead then
    change.wFailures, change.wInfra, change.wQueued = failures, infra, task.cQueued
  end
  if task.wUrgent then
    change.wNotBefore, change.wReady, change.wUrgent = 0, tonumber(task.wReady), '1'
  else
    change.wReady = math.max(now + DELAY, tonumber(task.wReady))
  end
end

let_go(ID, project)
note(task, text(now), is_fault and 'retrying' or 'released', task.owner or '', ARGV[8])
change.owner = ''
write(KEY, task, change)
index(ID, from, 'waiting', text(now))
place(ID, project, task, now, false)
flush()
afterwards(enter, project)
wake()
return { 'back', text(math.max(0, task.wReady - now)), task.wFailures or '0' }
