-- Takes in events: dedupe, coalescing and enqueue in one step; several at once.
-- ARGV  4 how long delivery keys are kept, ms  5 how many, then of each:
--       1 task id  2 project path  3 trigger  4 priority  5 command as JSON, or ''  6 head, or ''
--       7 when it happened in ms, or ''  8 debounce ms  9 longest debounce ms  10 '1': never waits
--       11 who  12 what its history says  13 how many deliveries, and the names of their keys
-- reply of each 'queued' | 'coalesced' | 'duplicate' | 'superseding' | 'marked-dirty'
local WIDTH = 13
local now = now_ms()
local NOW = text(now)
local DELIVERY_TTL, DELIVERY_END = ARGV[4], '1 ' .. text(now + ARGV[4]) .. ' '

local function is_known(key)
  local seen = pcall_redis('GET', key)
  if not seen then return false end
  if type(seen) == 'table' then expect('string', key) end
  local until_ms = tonumber(string.match(seen, '^1 (%d+) '))
  return not until_ms or until_ms > now
end

local has_parked = call('EXISTS', PARKED) == 1
local function put(id, project, task, known, is_new)
  if has_parked then later(PARKED, id, false) end
  place(id, project, task, now, not is_new, known)
end
local function show_path(project, known_path, path)
  if path == known_path then return end
  call('HSET', project_key(project), 'path', path)
  if not known_path then call('ZADD', PROJECTS, 0, project) end
end

-- Most events are about something new: its hash is made without a look at what was.
local function begin(at, key, id, project, known)
  local ready = ARGV[at + 10] == '1' and now or now + math.min(ARGV[at + 8], ARGV[at + 9])
  local fields = {
    'v', '2', 'path', ARGV[at + 2], 'state', 'waiting', 'updated', NOW, 'events', '1',
    'e1', NOW .. '|queued|' .. ARGV[at + 11] .. '|' .. ARGV[at + 12],
    'wTrigger', ARGV[at + 3], 'wPriority', ARGV[at + 4], 'wQueued', NOW, 'wReady', text(ready),
  }
  local count = #fields
  local function add(name, value)
    if value ~= '' then
      fields[count + 1], fields[count + 2] = name, value
      count = count + 2
    end
  end
  add('wHead', ARGV[at + 6])
  add('newest', ARGV[at + 7])
  add('wCommand', ARGV[at + 5])
  add('wUrgent', ARGV[at + 10])
  call('HSET', key, unpack(fields))
  later(state_key('waiting'), id, NOW)
  show_path(project, known[3], ARGV[at + 2])
  put(id, project, { wReady = ready, wPriority = ARGV[at + 4] }, known, true)
  return 'queued'
end

local function one(at)
  local ID, TRIGGER, HEAD, URGENT = ARGV[at + 1], ARGV[at + 3], ARGV[at + 6], ARGV[at + 10] == '1'
  local PRIORITY, DEBOUNCE, MAX_DEBOUNCE = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])
  local KEY, PROJECT = ROOT .. 'task:' .. ID, project_of(ID)

  local task, forgotten = load(KEY, now)
  local from = forgotten or task.state
  local known = fields_of(project_key(PROJECT), 'turn', 'finish', 'path')
  expect('zset', PARKED, state_key(from or 'waiting'), state_key('waiting'))
  expect_places(PROJECT)
  if not from then return begin(at, KEY, ID, PROJECT, known) end

  local happened, newest = tonumber(ARGV[at + 7]), tonumber(task.newest)
  local late = happened ~= nil and newest ~= nil and happened < newest
  local running = RUNNING[task.state]
  local change = { updated = now }
  if not late then
    change.path = ARGV[at + 2]
    change.newest = happened or newest or ''
  end

  if task.wTrigger then
    local waiting_priority = tonumber(task.wPriority)
    if PRIORITY > waiting_priority or (PRIORITY == waiting_priority and not late) then
      change.wTrigger, change.wPriority, change.wCommand = TRIGGER, PRIORITY, ARGV[at + 5]
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
    change.wTrigger, change.wPriority, change.wCommand, change.wHead = TRIGGER, PRIORITY, ARGV[at + 5], head
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

  if forgotten then call('DEL', KEY) end
  if from and not forgotten and from == task.outcome then call('PERSIST', KEY) end
  note(change, task, now, reply, ARGV[at + 11], ARGV[at + 12])
  write(KEY, task, change)
  index(ID, from, task.state, now)
  if late and not known[3] then
    recall(PROJECT, task)
  elseif task.path and not late then
    show_path(PROJECT, known[3], task.path)
  end
  if not running then put(ID, PROJECT, task, known, reply == 'queued') end
  return reply
end

local function take_in(at, deliveries)
  for i = at + WIDTH + 1, at + WIDTH + deliveries do
    if is_known(ROOT .. ARGV[i]) then return 'duplicate' end
  end
  local reply = one(at)
  for i = at + WIDTH + 1, at + WIDTH + deliveries do
    call('SET', ROOT .. ARGV[i], DELIVERY_END .. ARGV[at + 1], 'PX', DELIVERY_TTL)
  end
  return reply
end

local replies, some, at = {}, false, 5
for i = 1, tonumber(ARGV[5]) do
  local deliveries = tonumber(ARGV[at + WIDTH])
  local ok, reply = pcall(take_in, at, deliveries)
  some = some or (ok and reply ~= 'duplicate')
  replies[i] = ok and reply or failure_of(reply)
  at = at + WIDTH + deliveries
end
flush()
if some then wake() end
return replies
