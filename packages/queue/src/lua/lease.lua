-- Takes over a task whose lease ran out, else the first of the project whose turn it is.
-- KEYS  none of its own
-- ARGV  4 owner  5 ttl ms  6 most leases in all  7 of a forge, or ''  8 of a project, or ''
--       9 how many delayed tasks to move at most  10 most adoptions in a row  11 code and  12 message of one too many
-- reply {'epoch'}: it must be renewed first (epoch.lua)
--       {'ok', parked ids, ids of tasks that ended for too many adoptions, task id or '', state it was adopted in or '',
--        the task as a flat list}
local OWNER, TTL, TOTAL = ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[6])
local PER_FORGE, PER_PROJECT, BATCH, MOST_ADOPTIONS = tonumber(ARGV[7]), tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local MAX_TRIES, TURN_COST = 20, 1000000
local now = now_ms()
local upto = text(now)
local clock = fields_of(CLOCK, 'epoch', 'time')
if not clock[1] then return { 'epoch' } end
local epoch, time = tonumber(clock[1]), tonumber(clock[2] or 0)
local parked, ended = {}, {}
local function nothing() return { 'ok', parked, ended, '', '', {} } end
expect('zset', DUE, LEASES, FORGES, state_key('waiting'), state_key('leased'))
if held(LEASES, now) >= TOTAL then return nothing() end

-- A hash that is gone or that we cannot read must not stop all others: its id is set aside for a person.
local function park(id)
  local project = project_of(id)
  if project then
    let_go(id, project)
    not_due(id, project)
    redis.call('ZREM', ready_key(project), id)
  else
    redis.call('ZREM', LEASES, id)
    redis.call('ZREM', DUE, id)
  end
  for _, state in ipairs({ 'waiting', 'leased', 'running', 'publishing' }) do redis.call('ZREM', state_key(state), id) end
  redis.call('ZADD', PARKED, upto, id)
  parked[#parked + 1] = id
end
local function readable(id, want)
  local ok, task = pcall(load, ROOT .. 'task:' .. id, now)
  if ok and project_of(id) and want(task) then return task end
  park(id)
  return nil
end
local function take(id, project, task, fields)
  fields.lease, fields.owner, fields.updated = next_number(task.lease, epoch), OWNER, now
  write(ROOT .. 'task:' .. id, task, fields)
  hold(id, project, now + TTL)
end

for _ = 1, MAX_TRIES do
  local id = redis.call('ZRANGEBYSCORE', LEASES, '-inf', upto, 'LIMIT', 0, 1)[1]
  if not id then break end
  local task = readable(id, function(found) return RUNNING[found.state] end)
  if task then
    local project = project_of(id)
    local fields = { cInfra = (task.cInfra or 0) + 1 }
    if tonumber(task.adoptions or 0) < MOST_ADOPTIONS then
      local was = task.state
      redis.call('ZREM', LEASES, id)
      fields.adoptions = (task.adoptions or 0) + 1
      note(fields, task, now, 'adopted', OWNER, was)
      take(id, project, task, fields)
      index(id, was, was, now)
      return { 'ok', parked, ended, id, was, flat(task) }
    end
    expect_ending(project, task.state, 'dead', now)
    local fault = { failures = task.cFailures or 0, infra = fields.cInfra, code = ARGV[11], message = ARGV[12] }
    fault.outcome, fault.why, fault.detail = 'dead', ARGV[11], ARGV[11]
    settle(ROOT .. 'task:' .. id, id, project, task, now, fault)
    ended[#ended + 1] = id
  end
end

local function waits(found) return found.state == 'waiting' and found.wReady and found.wPriority end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DUE, '-inf', upto, 'LIMIT', 0, BATCH)) do
  local task = readable(id, waits)
  if task then place(id, project_of(id), task, now, true) end
end
-- What an older version queued, which knew no projects.
for _, old in ipairs({ ROOT .. 'ready', ROOT .. 'delayed' }) do
  for _, id in ipairs(redis.call('ZRANGE', old, 0, BATCH - 1)) do
    local task = readable(id, function(found) return found.state end)
    redis.call('ZREM', old, id)
    if task and waits(task) then
      local project = project_of(id)
      redis.call('HSETNX', project_key(project), 'path', task.path or '')
      redis.call('ZADD', PROJECTS, 0, project)
      place(id, project, task, now, true)
    end
  end
end

local has_pauses = redis.call('EXISTS', PAUSES) == 1
if has_pauses and redis.call('HEXISTS', PAUSES, 'all') == 1 then return nothing() end
local forges = {}
for _, forge in ipairs(redis.call('ZRANGE', FORGES, 0, -1)) do
  local paused = has_pauses and redis.call('HEXISTS', PAUSES, 'forge:' .. forge) == 1
  if not paused and not (PER_FORGE and held(LEASES .. ':' .. forge, now) >= PER_FORGE) then forges[#forges + 1] = forge end
end

-- The least start of all forges; of equal ones, who came first.
local function next_turn()
  local best
  for _, forge in ipairs(forges) do
    local first = redis.call('ZRANGE', turns_key(forge), 0, 0, 'WITHSCORES')
    local start = tonumber(first[2])
    if start and (not best or start < best.start or (start == best.start and first[1] < best.member)) then
      best = { start = start, member = first[1], project = forge .. ':' .. string.match(first[1], ':(.+)$') }
    end
  end
  return best
end

for _ = 1, MAX_TRIES do
  local turn = next_turn()
  if not turn then break end
  local project = turn.project
  local share = redis.call('HGET', SHARES, project) or '1 -'
  local weight, most = string.match(share, '^(%d+) (.+)$')
  local limit = math.min(tonumber(most) or math.huge, PER_PROJECT or math.huge)
  local first = redis.call('ZRANGE', ready_key(project), 0, 1)
  if not first[1] or (limit < math.huge and held(LEASES .. ':' .. project, now) >= limit) then
    leave(project)
  else
    local id = first[1]
    local task = readable(id, waits)
    if task then
      redis.call('ZREM', ready_key(project), id)
      local fields = { state = 'leased', interrupt = '', adoptions = '', wReady = '', wNotBefore = '', wUrgent = '', wWhy = '' }
      for _, name in ipairs(PAYLOAD) do fields['c' .. name], fields['w' .. name] = task['w' .. name] or '', '' end
      note(fields, task, now, 'leased', OWNER, '')
      take(id, project, task, fields)
      index(id, 'waiting', 'leased', now)

      time = math.max(time, turn.start)
      local finish = time + math.floor(TURN_COST / weight)
      redis.call('HSET', CLOCK, 'time', text(time))
      redis.call('ZREM', turns_key((split(project))), turn.member)
      if first[2] then
        put_turn(project, finish, 'finish', text(finish))
      else
        redis.call('HSET', project_key(project), 'finish', text(finish))
        redis.call('HDEL', project_key(project), 'turn')
      end
      forget_idle(time)
      return { 'ok', parked, ended, id, '', flat(task) }
    end
  end
end
return nothing()
