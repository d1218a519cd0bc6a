-- Lets a held task wait again, together with what came in meanwhile.
-- KEYS  14 task
-- ARGV  4 task id  5 lease  6 delay ms  7 why, or ''
--       8 '1': after a fault, and  9 failures  10 infra failures  11 code  12 message
-- reply {'back', delay ms, failures} | {'lost'}
local KEY, ID, DELAY = KEYS[14], ARGV[4], tonumber(ARGV[6])
local now = now_ms()
local task = load(KEY, now)
expect('zset', READY, DELAYED, LEASES, INDEX.waiting, INDEX.leased, INDEX.running, INDEX.publishing)
if not is_held(task, ARGV[5]) then return { 'lost' } end

local from = task.state
local failures, infra = task.cFailures, task.cInfra
local change = { state = 'waiting', updated = now, owner = '', interrupt = '', wWhy = ARGV[7] }
if ARGV[8] == '1' then
  failures, infra, change.errorCode, change.errorMessage = ARGV[9], ARGV[10], ARGV[11], ARGV[12]
end
change.wNotBefore, change.wReady, change.wUrgent = now + DELAY, now + DELAY, ''
if not task.wTrigger then
  for _, name in ipairs(PAYLOAD) do change['w' .. name] = task['c' .. name] end
  change.wFailures, change.wInfra = failures, infra
else
  if tonumber(task.cPriority) > tonumber(task.wPriority) then
    change.wTrigger, change.wPriority, change.wCommand = task.cTrigger, task.cPriority, task.cCommand
  end
  if task.wHead == '' then change.wHead = task.cHead end
  if task.wHead == '' or task.cHead == '' or task.wHead == task.cHead then
    change.wFailures, change.wInfra, change.wQueued = failures, infra, task.cQueued
  end
  if task.wUrgent == '1' then
    change.wNotBefore, change.wReady, change.wUrgent = 0, tonumber(task.wReady), '1'
  else
    change.wReady = math.max(now + DELAY, tonumber(task.wReady))
  end
end

redis.call('ZREM', LEASES, ID)
write(KEY, task, change)
index(ID, from, 'waiting', now)
place(ID, task, now)
wake()
return { 'back', string.format('%.0f', math.max(0, task.wReady - now)), task.wFailures }
