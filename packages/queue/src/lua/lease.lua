-- Takes over tasks whose lease ran out, else the first of the projects whose turn it is; several at once.
-- ARGV  4 owner  5 ttl ms  6 most leases in all  7 of a forge, or ''  8 of a project, or ''
--       9 how many delayed tasks to move at most  10 adoptions in a row after which it ends  11 code and  12 message of one too many
--       13 how many
-- reply of each, as texts with a zero between them: 'epoch': it must be renewed first (epoch.lua)
--       'ok', parked ids, ids of tasks that ended for too many adoptions (each list with spaces between), and when there is
--       one also task id, state it was adopted in or '', lease, and what else `leased` lists
local OWNER, TTL, TOTAL = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local PER_FORGE, PER_PROJECT, BATCH, MOST_ADOPTIONS = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local MAX_TRIES, TURN_COST = 20, 1000000
local MOST = tonumber(ARGV[13])
local now = now_ms()
local upto, expiry = text(now), text(now + TTL)
local replies, parked, ended = {}, {}, {}
local clock = fields_of(CLOCK, 'epoch', 'time')
local epoch = number(clock[1])
if not epoch then
  for i = 1, MOST do replies[i] = 'epoch' end
  return replies
end
virtual_time = number(clock[2]) or 0
local served

local function take(id, project, task, fields)
  fields.lease, fields.owner = next_number(task.lease, epoch), OWNER
  write(ROOT .. 'task:' .. id, task, fields)
  hold(id, project, expiry)
end
local function leased(id, task, was)
  return table.concat({
    id, was, task.lease, task.launch or '0', task.launchHead or '', task.doneHead or '', task.path or '',
    task.cTrigger or '', task.cCommand or '', task.cHead or '', task.cQueued or '', task.cFailures or '0',
    task.adoptions or '0',
  }, '\0')
end

-- The first of each forge's turns, read once: what is taken of them and put back is written at the end. `last`: further
-- ones in Redis come behind this one; nil: there are none.
local lines = {}
local function comes_before(one, other)
  return one.start < other.start or (one.start == other.start and one.member < other.member)
end
local function line_of(forge)
  local line = lines[forge]
  if line and (line[line.first] or not line.last) then return line end
  if line then flush() end
  local found = call('ZRANGE', turns_key(forge), 0, MOST - 1, 'WITHSCORES')
  line = { first = 1 }
  for i = 1, #found, 2 do
    line[(i + 1) / 2] = { start = number(found[i + 1]) or 0, member = found[i], forge = forge }
  end
  if #line == MOST then line.last = line[MOST] end
  lines[forge] = line
  return line
end
local function put_back_turn(turn)
  local line = lines[turn.forge]
  if line.last and comes_before(line.last, turn) then return end
  local at = #line + 1
  while at > line.first and comes_before(turn, line[at - 1]) do at = at - 1 end
  table.insert(line, at, turn)
end
-- Before something else looks at the turns or changes them.
local function write_turns()
  flush()
  lines = {}
end

-- A record that is gone or that we cannot read must not stop all others: its id is set aside for a person.
local function park_here(id)
  write_turns()
  park(id, now)
  parked[#parked + 1] = id
end
local function readable(id, want)
  local ok, task = pcall(load_sound, ROOT .. 'task:' .. id, now)
  if ok and project_of(id) and want(task) then return task end
  park_here(id)
  return nil
end

-- Something else stands under the keys of its project or forge: it stops no other, and is looked at again by the next run.
local blocked = {}
local function expect_adoption(project, state)
  expect_leases(project)
  expect_ending(project, state, 'dead')
end
local function put_behind(id, project)
  blocked[id] = true
  call('ZADD', LEASES, upto, id)
  local is_forge = not pcall(expect, 'zset', LEASES .. ':' .. forge_of(project), turns_key(forge_of(project)))
  local place = is_forge and 'forge:' .. forge_of(project) or 'project:' .. project
  if set_aside(place, now) then parked[#parked + 1] = place end
end

-- The first whose lease ran out. One that was taken over too often ends instead.
local all_hold = false
local function adopted()
  if all_hold then return nil end
  for _ = 1, MAX_TRIES do
    write_turns()
    local id = call('ZRANGEBYSCORE', LEASES, '-inf', upto, 'LIMIT', 0, 1)[1]
    all_hold = not id or blocked[id]
    if all_hold then return nil end
    local task = readable(id, function(found) return RUNNING[found.state] end)
    local project = project_of(id)
    if task and not pcall(expect_adoption, project, task.state) then
      put_behind(id, project)
    elseif task then
      local lost = task.owner and 1 or 0 -- handed over: no fault
      local fields = { cInfra = (task.cInfra or 0) + lost }
      if lost == 0 or (number(task.adoptions) or 0) < MOST_ADOPTIONS then
        local was = task.state
        call('ZREM', LEASES, id)
        fields.adoptions = (task.adoptions or 0) + lost
        fields.updated = now
        note(task, upto, 'adopted', OWNER, was)
        take(id, project, task, fields)
        index(id, was, was, upto)
        flush()
        return leased(id, task, was)
      end
      local fault = { failures = task.cFailures or 0, infra = fields.cInfra, code = ARGV[11], message = ARGV[12] }
      fault.outcome, fault.why, fault.detail = 'dead', ARGV[11], ARGV[11]
      settle(ROOT .. 'task:' .. id, id, project, task, now, fault)
      ended[#ended + 1] = id
    end
  end
end

local function waits(found) return found.state == 'waiting' end
local PUT_OFF_MS = 60000
local function move_due()
  for _, id in ipairs(call('ZRANGEBYSCORE', DUE, '-inf', upto, 'LIMIT', 0, BATCH)) do
    local task = readable(id, waits)
    local project = task and project_of(id)
    if project and pcall(expect_places, project) then
      place(id, project, task, now, true)
    elseif project then
      -- It stops no other, and is tried again.
      call('ZREM', DUE, id)
      call('ZADD', DUE, text(now + PUT_OFF_MS), id)
      if set_aside('project:' .. project, now) then parked[#parked + 1] = 'project:' .. project end
    end
  end
  -- What an older version queued, which knew no projects.
  if call('EXISTS', ROOT .. 'ready', ROOT .. 'delayed') == 0 then return end
  for _, old in ipairs({ ROOT .. 'ready', ROOT .. 'delayed' }) do
    for _, id in ipairs(pcall_redis('ZRANGE', old, 0, BATCH - 1)) do
      local task = readable(id, function(found) return found.state end)
      local project = project_of(id)
      local is_clear = not task or pcall(expect_places, project)
      if is_clear then call('ZREM', old, id) end
      if task and waits(task) and is_clear then
        call('HSETNX', project_key(project), 'path', task.path or '')
        call('ZADD', PROJECTS, 0, project)
        place(id, project, task, now, true)
      end
    end
  end
end

-- Forges that may run, and how many leases of each hold. One under whose keys stands something else stops no other.
local forges, of_forge
local function check_forge(forge)
  expect('zset', turns_key(forge), LEASES .. ':' .. forge)
end
local function find_forges()
  forges, of_forge = {}, {}
  write_turns()
  if has_pauses() and call('HEXISTS', PAUSES, 'all') == 1 then return end
  for _, forge in ipairs(call('ZRANGE', FORGES, 0, -1)) do
    local ok = pcall(check_forge, forge)
    if not ok then
      if set_aside('forge:' .. forge, now) then parked[#parked + 1] = 'forge:' .. forge end
    elseif not (has_pauses() and call('HEXISTS', PAUSES, 'forge:' .. forge) == 1) then
      is_mended('forge:' .. forge)
      forges[#forges + 1] = forge
      of_forge[forge] = PER_FORGE and held(LEASES .. ':' .. forge, now) or 0
    end
  end
end

-- The least start of all forges; of equal ones, who came first.
local function next_turn()
  local best
  for i = 1, #forges do
    local forge = forges[i]
    if not PER_FORGE or of_forge[forge] < PER_FORGE then
      local line = line_of(forge)
      local turn = line[line.first]
      if turn and (not best or comes_before(turn, best)) then best = turn end
    end
  end
  return best
end

local MOVED = {
  wTrigger = 'cTrigger', wPriority = 'cPriority', wCommand = 'cCommand', wHead = 'cHead', wQueued = 'cQueued',
  wFailures = 'cFailures', wInfra = 'cInfra',
}
local DROPPED = { 'wReady', 'wNotBefore', 'wUrgent', 'wWhy', 'interrupt', 'adoptions' }
-- What waits is what runs from now on. It throws before anything is written when the record is not sound, and asks for less
-- than `load_sound`, which costs a tenth of a lease: what else is damaged is found by who reads the reply.
local function run(id, project)
  local task = load(ROOT .. 'task:' .. id, now)
  if not waits(task) or project_of(id) ~= project then error('WRONGVERSION ' .. id .. ' does not wait there', 0) end
  -- Nothing is set that is not there: even nil would let the table grow.
  for from, to in pairs(MOVED) do
    local value = task[from]
    if value then task[to], task[from] = value, nil elseif task[to] then task[to] = nil end
  end
  for i = 1, #DROPPED do
    if task[DROPPED[i]] then task[DROPPED[i]] = nil end
  end
  task.state, task.updated, task.owner = 'leased', upto, OWNER
  task.lease = text(next_number(task.lease, epoch))
  note(task, upto, 'leased', OWNER, '')
  local reply = leased(id, task, '')
  local sum = task.cPriority + task.cQueued + (task.cFailures or 0) + (task.cInfra or 0) + (task.newest or 0)
  if not number(sum + (task.launch or 0) + (task.launchLease or 0)) then error('WRONGVERSION ' .. id, 0) end
  write_later(ROOT .. 'task:' .. id, task)
  return reply
end

local has_shares = call('EXISTS', SHARES) == 1
if has_shares then expect('hash', SHARES) end
local function take_turn(turn, project, id, has_more, weight)
  call('ZREM', ready_key(project), id)
  hold(id, project, expiry)
  index(id, 'waiting', 'leased', upto)

  virtual_time = math.max(virtual_time, turn.start)
  served = true
  local finish = virtual_time + math.floor(TURN_COST / weight)
  local finish_text = text(finish)
  local line = lines[turn.forge]
  line.first = line.first + 1
  later(turns_key(turn.forge), turn.member, false)
  if has_more then
    local member = turn_member(turn.forge, project)
    later(turns_key(turn.forge), member, finish_text)
    put_back_turn({ start = finish, member = member, forge = turn.forge })
    call('HSET', project_key(project), 'turn', member, 'finish', finish_text)
  else
    call('HSET', project_key(project), 'finish', finish_text)
    call('HDEL', project_key(project), 'turn')
  end
  of_forge[turn.forge] = of_forge[turn.forge] + 1
end

-- The first two of a project's tasks; nil when it may not run now.
local function first_of(project, limit)
  local first = call('ZRANGE', ready_key(project), '0', '1')
  expect_once('hash', project_key(project))
  expect_once('zset', LEASES .. ':' .. project)
  if not first[1] or (limit < math.huge and held(LEASES .. ':' .. project, now) >= limit) then return nil end
  return first
end
-- A project under whose keys stands something else stops no other: it has no turn until its next event, which is refused
-- as long as nobody has mended them.
local function skip(turn, project)
  write_turns()
  call('ZREM', turns_key(turn.forge), turn.member)
  pcall(call, 'HDEL', project_key(project), 'turn')
  set_aside('project:' .. project, now)
  parked[#parked + 1] = 'project:' .. project
end

local none_left = false
local function first_in_turn()
  for _ = 1, MAX_TRIES do
    local turn = next_turn()
    if not turn then
      none_left = true
      return nil
    end
    local project = project_in(turn.forge, turn.member)
    local weight, limit = 1, PER_PROJECT or math.huge
    local share = has_shares and call('HGET', SHARES, project)
    if share then
      local own, most = string.match(share, '^(%d+) (.+)$')
      weight, limit = math.max(1, number(own) or 1), math.min(number(most) or math.huge, limit)
    end
    local ok, first = pcall(first_of, project, limit)
    if not ok then
      skip(turn, project)
    elseif not first then
      write_turns()
      -- Whatever its hash says: a turn that stayed would come up for ever.
      call('ZREM', turns_key(turn.forge), turn.member)
      leave(project)
      afterwards(rest, project)
    else
      local id = first[1]
      local is_sound, reply = pcall(run, id, project)
      if is_sound then
        take_turn(turn, project, id, first[2], weight)
        return reply
      end
      park_here(id)
      -- Whatever project its id speaks of, it is not to come up here again.
      call('ZREM', ready_key(project), id)
    end
  end
end

expect('zset', DUE, LEASES, FORGES, PARKED, ASIDE, state_key('waiting'), state_key('leased'), state_key('running'), state_key('publishing'))
local holding = held(LEASES, now)
local function one()
  if none_left or holding >= TOTAL then return nil end
  local found = adopted()
  if found then
    forges = nil
  else
    if not forges then
      move_due()
      find_forges()
    end
    found = first_in_turn()
  end
  if found then holding = holding + 1 end
  return found
end

for i = 1, MOST do
  local ok, reply = pcall(one)
  if ok then replies[i] = reply and 'ok\0\0\0' .. reply or 'ok\0\0' else replies[i] = failure_of(reply) end
end
flush()
if served then
  call('HSET', CLOCK, 'time', text(virtual_time))
  forget_idle(virtual_time)
end
if ended[1] then wake() end
-- Whom it serves first hears of what was found on the way.
if type(replies[1]) == 'string' then
  replies[1] = 'ok\0' .. table.concat(parked, ' ') .. '\0' .. table.concat(ended, ' ') .. string.sub(replies[1], 5)
end
return replies
