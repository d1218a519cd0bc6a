-- Takes in an event: dedupe, coalescing and enqueue in one step.
-- KEYS  3.. one for each delivery key
-- ARGV  4 task id  5 project path  6 trigger  7 priority  8 command as JSON, or ''  9 head, or ''
--       10 when it happened in ms, or ''  11 debounce ms  12 longest debounce ms  13 '1': never waits
--       14 how long delivery keys are kept, ms  15 who  16 what its history says
-- reply 'queued' | 'coalesced' | 'duplicate' | 'superseding' | 'marked-dirty'
local KEY, ID, TRIGGER, HEAD = KEYS[2], ARGV[4], ARGV[6], ARGV[9]
local PRIORITY, DEBOUNCE, MAX_DEBOUNCE, URGENT = tonumber(ARGV[7]), tonumber(ARGV[11]), tonumber(ARGV[12]), ARGV[13] == '1'
local PROJECT = project_of(ID)
local now = now_ms()

for i = 3, #KEYS do
  local seen = redis.pcall('GET', KEYS[i])
  if type(seen) == 'table' then expect('string', KEYS[i]) end
  local until_ms = seen and tonumber(string.match(seen, '^1 (%d+) '))
  if seen and (not until_ms or until_ms > now) then return 'duplicate' end
end

local task, forgotten = load(KEY, now)
local from = forgotten or task.state
local known_path = fields_of(project_key(PROJECT), 'path')[1]
expect('zset', PARKED, state_key(from or 'waiting'), state_key('waiting'))
expect_places(PROJECT)

local happened, newest = tonumber(ARGV[10]), tonumber(task.newest)
local late = happened ~= nil and newest ~= nil and happened < newest
local running = RUNNING[task.state]
local change = { updated = now }
if not late then
  change.path = ARGV[5]
  change.newest = happened or newest or ''
end

if task.wTrigger then
  local waiting_priority = tonumber(task.wPriority)
  if PRIORITY > waiting_priority or (PRIORITY == waiting_priority and not late) then
    change.wTrigger, change.wPriority, change.wCommand = TRIGGER, PRIORITY, ARGV[8]
  end
  local head = task.wHead or ''
  if HEAD ~= '' and (head == '' or not late) then head = HEAD end
  if task.wHead and head ~= task.wHead then change.wFailures, change.wInfra = 0, 0 end
  change.wHead = head
  local ready = tonumber(task.wReady)
  if URGENT then
    change.wReady, change.wNotBefore, change.wUrgent = math.min(ready, now), 0, '1'
  elseif ready > now and not late then
    local slid = math.min(now + DEBOUNCE, task.wQueued + MAX_DEBOUNCE)
    change.wReady = math.max(now, tonumber(task.wNotBefore or 0), slid)
  end
else
  local known, head = task.cHead or '', HEAD
  if head == '' or (late and known ~= '') then head = known end
  change.wTrigger, change.wPriority, change.wCommand, change.wHead = TRIGGER, PRIORITY, ARGV[8], head
  change.wQueued = now
  change.wReady = URGENT and now or now + math.min(DEBOUNCE, MAX_DEBOUNCE)
  change.wUrgent = URGENT and '1' or ''
end

local reply
if running then
  reply = 'marked-dirty'
  if not late and (TRIGGER == 'closed' or (HEAD ~= '' and HEAD ~= task.cHead)) then
    reply = 'superseding'
    if task.interrupt ~= 'cancelled' then change.interrupt = TRIGGER == 'closed' and 'closed' or 'superseded' end
  end
else
  reply = task.state == 'waiting' and 'coalesced' or 'queued'
  change.state = 'waiting'
  if reply == 'queued' then change.errorCode, change.errorMessage = '', '' end
end

if forgotten then redis.call('DEL', KEY) end
if from and not forgotten and from == task.outcome then redis.call('PERSIST', KEY) end
note(change, task, now, reply, ARGV[15], ARGV[16])
write(KEY, task, change)
index(ID, from, task.state, now)
if task.path and task.path ~= known_path and not late then
  redis.call('HSET', project_key(PROJECT), 'path', task.path)
  if not known_path then redis.call('ZADD', PROJECTS, 0, PROJECT) end
end
if not running then
  if reply == 'queued' then redis.call('ZREM', PARKED, ID) end
  place(ID, PROJECT, task, now, reply == 'coalesced')
end
for i = 3, #KEYS do
  redis.call('SET', KEYS[i], '1 ' .. text(now + ARGV[14]) .. ' ' .. ID, 'PX', ARGV[14])
end
wake()
return reply
