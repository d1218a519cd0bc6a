-- Takes in events: dedupe, coalescing and enqueue in one step; several at once.
-- ARGV  4 how long delivery keys are kept, ms  5 how many, then each event as texts that end with a zero:
--       task id, project path, trigger, priority, command as JSON or '', head or '', when it happened in ms or '',
--       debounce ms, longest debounce ms, '1': never waits, who, what its history says, how many deliveries,
--       and the names of their keys
-- reply of each 'queued' | 'coalesced' | 'duplicate' | 'superseding' | 'marked-dirty'
local now = now_ms()
local NOW = text(now)
local DELIVERY_TTL, DELIVERY_END = ARGV[4], '1 ' .. text(now + ARGV[4]) .. ' '

local function event_of(packed)
  local id, path, trigger, priority, command, head, happened, debounce, longest, urgent, who, what, deliveries, at =
    struct.unpack('sssssssssssss', packed)
  local event = {
    id = id, path = path, trigger = trigger, priority = priority, command = command, head = head, happened = happened,
    debounce = debounce, longest = longest, urgent = urgent, who = who, what = what,
    key = ROOT .. 'task:' .. id, deliveries = {},
  }
  for i = 1, tonumber(deliveries) do
    local name
    name, at = struct.unpack('s', packed, at)
    event.deliveries[i] = ROOT .. name
  end
  return event
end

local function is_known(key)
  local found = stored[key]
  if found == nil then
    found = pcall_redis('GET', key)
    if type(found) == 'table' then expect('string', key) end
  end
  if not found then return false end
  local until_ms = tonumber(string.match(found, '^1 (%d+) '))
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

local function given(value) return value ~= '' and value or nil end
-- Most events are about something new: its record is made without a look at what was.
local function begin(event, project, known)
  local id, ready = event.id, now
  if event.urgent == '' then ready = now + math.min(event.debounce, event.longest) end
  local is_due = ready <= now
  local ready_text = is_due and NOW or text(ready)
  if (is_due and not known[1]) or not known[3] then expect_entry() end
  -- The first write is one that something of another type refuses.
  if is_due then
    first_write('ZADD', ready_key(project), ready_score(event.priority, ready), id)
  else
    expect('zset', ready_key(project))
    if call('ZADD', DUE, ready_text, id) == 1 then count_delayed(project, 1) end
  end
  write_later(event.key, {
    v = RECORD, path = given(event.path), state = 'waiting', updated = NOW, newest = given(event.happened),
    history = NOW .. '|queued|' .. event.who .. '|' .. event.what .. '\n',
    wTrigger = event.trigger, wPriority = event.priority, wCommand = given(event.command), wHead = given(event.head),
    wQueued = NOW, wReady = ready_text, wUrgent = given(event.urgent),
  })
  later(state_key('waiting'), id, NOW)
  show_path(project, known[3], event.path)
  if has_parked then later(PARKED, id, false) end
  if is_due and known[1] then suppose(project, known[1]) elseif is_due then enter(project, known, true) end
  return 'queued'
end

local places_checked = {}
local function expect_places_of(forge)
  if places_checked[forge] then return end
  expect('zset', PARKED, DUE, turns_key(forge), state_key('waiting'))
  places_checked[forge] = true
end

local function one(event)
  local ID, TRIGGER, HEAD, URGENT = event.id, event.trigger, event.head, event.urgent == '1'
  local KEY, PROJECT = event.key, project_of(event.id)

  local task, forgotten = load(KEY, now)
  local from = forgotten or task.state
  local known = fields_of(project_key(PROJECT), 'turn', 'finish', 'path')
  expect_places_of(forge_of(PROJECT))
  if not from then return begin(event, PROJECT, known) end
  expect('zset', ready_key(PROJECT), state_key(from))
  expect_entry()
  expect_sound(task, KEY)
  local running = RUNNING[task.state]
  -- Nobody would ever end it.
  local nobody_holds = running and is_abandoned(ID, task)
  if nobody_holds then expect_leases(PROJECT) end

  local PRIORITY, DEBOUNCE, MAX_DEBOUNCE = tonumber(event.priority), tonumber(event.debounce), tonumber(event.longest)
  local happened, newest = tonumber(event.happened), tonumber(task.newest)
  local late = happened ~= nil and newest ~= nil and happened < newest
  local change = { updated = now }
  if not late then
    change.path = event.path
    change.newest = happened or newest or ''
  end

  if task.wTrigger then
    local waiting_priority = tonumber(task.wPriority)
    if PRIORITY > waiting_priority or (PRIORITY == waiting_priority and not late) then
      change.wTrigger, change.wPriority, change.wCommand = TRIGGER, PRIORITY, event.command
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
    local last, head = task.cHead or '', HEAD
    if head == '' or (late and last ~= '') then head = last end
    change.wTrigger, change.wPriority, change.wCommand, change.wHead = TRIGGER, PRIORITY, event.command, head
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

  note(task, NOW, reply, event.who, event.what)
  write(KEY, task, change)
  index(ID, from, task.state, NOW)
  if late and not known[3] then
    recall(PROJECT, task)
  elseif task.path and not late then
    show_path(PROJECT, known[3], task.path)
  end
  if has_parked then later(PARKED, ID, false) end
  if nobody_holds then abandon(ID, PROJECT, now + GRACE_MS) end
  if not running then
    place(ID, PROJECT, task, now, reply ~= 'queued', known)
  end
  return reply
end

local function take_in(event)
  for _, key in ipairs(event.deliveries) do
    if is_known(key) then return 'duplicate' end
  end
  local reply = one(event)
  local delivered = DELIVERY_END .. event.id
  for _, key in ipairs(event.deliveries) do
    call('SET', key, delivered, 'PX', DELIVERY_TTL)
    stored[key] = delivered
  end
  return reply
end

local events, keys = {}, {}
for i = 1, tonumber(ARGV[5]) do
  local event = event_of(ARGV[5 + i])
  events[i], keys[#keys + 1] = event, event.key
  for _, key in ipairs(event.deliveries) do keys[#keys + 1] = key end
end
look_up(keys)

local replies, some = {}, false
for i, event in ipairs(events) do
  local ok, reply = pcall(take_in, event)
  some = some or (ok and reply ~= 'duplicate')
  replies[i] = ok and reply or failure_of(reply)
end
flush()
confirm_turns(enter)
if some then wake() end
for _, id in ipairs(superseded) do wake(id) end
return replies
