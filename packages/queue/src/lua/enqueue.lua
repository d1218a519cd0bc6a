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

-- Of the deliveries what was known of them before; all at once, unless something stands there that is no text.
local seen = {}
local function look_up(keys)
  local found, some = call('MGET', unpack(keys)), 0
  for i, key in ipairs(keys) do
    seen[key] = found[i]
    if found[i] then some = some + 1 end
  end
  if call('EXISTS', unpack(keys)) > some then seen = {} end
end
local function is_known(key)
  local text = seen[key]
  if text == nil then
    text = pcall_redis('GET', key)
    if type(text) == 'table' then expect('string', key) end
  end
  if not text then return false end
  local until_ms = tonumber(string.match(text, '^1 (%d+) '))
  return not until_ms or until_ms > now
end

-- Running tasks whose holders are to stop.
local superseded = {}
local has_parked = call('EXISTS', PARKED) == 1
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
  -- The first write is one that something of another type refuses.
  local is_due = ready <= now
  if is_due then
    first_write('ZADD', ready_key(project), ready_score(ARGV[at + 4], ready), id)
  else
    expect('zset', ready_key(project))
    if call('ZADD', DUE, text(ready), id) == 1 then call('HINCRBY', project_key(project), 'delayed', 1) end
  end
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
  if has_parked then later(PARKED, id, false) end
  if is_due and known[1] then suppose(project, known[1]) elseif is_due then enter(project, known, true) end
  return 'queued'
end

local function one(at)
  local ID, TRIGGER, HEAD, URGENT = ARGV[at + 1], ARGV[at + 3], ARGV[at + 6], ARGV[at + 10] == '1'
  local PRIORITY, DEBOUNCE, MAX_DEBOUNCE = tonumber(ARGV[at + 4]), tonumber(ARGV[at + 8]), tonumber(ARGV[at + 9])
  local KEY, PROJECT = ROOT .. 'task:' .. ID, project_of(ID)

  local task, forgotten = load(KEY, now)
  local from = forgotten or task.state
  local known = fields_of(project_key(PROJECT), 'turn', 'finish', 'path')
  expect('zset', PARKED, DUE, turns_key((split(PROJECT))), state_key('waiting'))
  if not from then return begin(at, KEY, ID, PROJECT, known) end
  expect('zset', ready_key(PROJECT), state_key(from))

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
      superseded[#superseded + 1] = ID
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
  if not running then
    if has_parked then later(PARKED, ID, false) end
    place(ID, PROJECT, task, now, reply ~= 'queued', known)
  end
  return reply
end

local function take_in(at, deliveries)
  for i = at + WIDTH + 1, at + WIDTH + deliveries do
    if is_known(ROOT .. ARGV[i]) then return 'duplicate' end
  end
  local reply = one(at)
  for i = at + WIDTH + 1, at + WIDTH + deliveries do
    local text = DELIVERY_END .. ARGV[at + 1]
    call('SET', ROOT .. ARGV[i], text, 'PX', DELIVERY_TTL)
    seen[ROOT .. ARGV[i]] = text
  end
  return reply
end

local keys, at = {}, 5
for _ = 1, tonumber(ARGV[5]) do
  local last = at + WIDTH + ARGV[at + WIDTH]
  for i = at + WIDTH + 1, last do keys[#keys + 1] = ROOT .. ARGV[i] end
  at = last
end
if keys[1] then look_up(keys) end

local replies, some = {}, false
at = 5
for i = 1, tonumber(ARGV[5]) do
  local deliveries = tonumber(ARGV[at + WIDTH])
  local ok, reply = pcall(take_in, at, deliveries)
  some = some or (ok and reply ~= 'duplicate')
  replies[i] = ok and reply or failure_of(reply)
  at = at + WIDTH + deliveries
end
confirm_turns(enter)
flush()
if some then wake() end
for _, id in ipairs(superseded) do wake(id) end
return replies
