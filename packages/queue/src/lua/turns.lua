-- Put after the prelude: where a task waits, whose turn it is, and who holds a slot. The reference is fair-turns.ts.
--
-- ready:<project>   zset of tasks that are due; score = priority, then age
-- due               zset of tasks that wait for their time; score = when
-- turns:<forge>     zset of projects that want a turn: `<order of arrival>:<project id>`; score = virtual start time
-- project:<project> hash: turn (its member there, if it is in turn), finish (where its last turn ended), path,
--                   delayed (how many of its tasks are in `due`; for people)
-- projects, forges  zsets with score 0, in the order of their names
-- idle              zset of projects that have nothing; score = finish. Forgotten once virtual time has passed it
-- leases, leases:<forge>, leases:<project>  zsets of tasks that hold a lease; score = expiry
-- shares            hash: project -> `<weight> <most running, or ->`      pauses  hash: scope -> `<ms>|<by>|<why>`
local FORGES, PROJECTS, IDLE = ROOT .. 'forges', ROOT .. 'projects', ROOT .. 'idle'
local SHARES, PAUSES = ROOT .. 'shares', ROOT .. 'pauses'

local function project_of(id) return string.match(id, '^[^:]+:(.+):[^:]+$') end
local parts = {}
local function split(project)
  local known = parts[project]
  if not known then
    known = { string.match(project, '^([^:]+):(.+)$') }
    parts[project] = known
  end
  return known[1], known[2]
end
local function ready_key(project) return ROOT .. 'ready:' .. project end
local function project_key(project) return ROOT .. 'project:' .. project end
local function turns_key(forge) return ROOT .. 'turns:' .. forge end
local function expect_places(project)
  expect('zset', ready_key(project), DUE, turns_key((split(project))))
end

local function put_turn(project, start, ...)
  local forge, id = split(project)
  local member = string.format('%015d:%s', redis.call('HINCRBY', CLOCK, 'arrivals', 1), id)
  redis.call('ZADD', turns_key(forge), text(start), member)
  redis.call('HSET', project_key(project), 'turn', member, ...)
end

-- The project gets in turn if it is not, has something ready, and is not held back by a pause.
local function enter(project)
  local known = redis.call('HMGET', project_key(project), 'turn', 'finish')
  if known[1] or redis.call('HEXISTS', PAUSES, 'project:' .. project) == 1 then return end
  if redis.call('ZCARD', ready_key(project)) == 0 then return end
  local time = tonumber(redis.call('HGET', CLOCK, 'time') or 0)
  redis.call('ZADD', FORGES, 0, (split(project)))
  redis.call('ZADD', PROJECTS, 0, project)
  redis.call('ZREM', IDLE, project)
  put_turn(project, math.max(time, tonumber(known[2] or 0)))
end

local function leave(project)
  local turn = redis.call('HGET', project_key(project), 'turn')
  if not turn then return end
  redis.call('ZREM', turns_key((split(project))), turn)
  redis.call('HDEL', project_key(project), 'turn')
end

-- A project that has nothing is forgotten some time; not before virtual time has passed its last turn.
local function rest(project)
  if redis.call('EXISTS', ready_key(project), LEASES .. ':' .. project) > 0 then return end
  local known = redis.call('HMGET', project_key(project), 'finish', 'delayed')
  if tonumber(known[2] or 0) <= 0 then redis.call('ZADD', IDLE, known[1] or '0', project) end
end

local function forget_idle(time)
  for _, project in ipairs(redis.call('ZRANGEBYSCORE', IDLE, '-inf', text(time), 'LIMIT', 0, TRIM_BATCH)) do
    redis.call('ZREM', IDLE, project)
    local delayed = tonumber(redis.call('HGET', project_key(project), 'delayed') or 0)
    local busy = delayed > 0 or redis.call('EXISTS', ready_key(project), LEASES .. ':' .. project) > 0
    if not busy and redis.call('HEXISTS', SHARES, project) == 0 and redis.call('HEXISTS', PAUSES, 'project:' .. project) == 0 then
      redis.call('DEL', project_key(project))
      redis.call('ZREM', PROJECTS, project)
    end
  end
end

-- Highest priority first, then the one that was ready first. Priorities are 0 to 99: exact in a double.
local function ready_score(priority, ready)
  return text((99 - priority) * 1e13 + ready)
end

local function not_due(id, project)
  if redis.call('ZREM', DUE, id) == 1 then redis.call('HINCRBY', project_key(project), 'delayed', -1) end
end

-- Puts a waiting task where its time wants it. `waited`: it may stand somewhere already.
local function place(id, project, task, now, waited)
  local ready = tonumber(task.wReady)
  if ready <= now then
    if waited then not_due(id, project) end
    redis.call('ZADD', ready_key(project), ready_score(task.wPriority, ready), id)
    enter(project)
  else
    if waited then redis.call('ZREM', ready_key(project), id) end
    if redis.call('ZADD', DUE, text(ready), id) == 1 then redis.call('HINCRBY', project_key(project), 'delayed', 1) end
  end
end

local function expect_leases(project)
  expect('zset', LEASES, LEASES .. ':' .. (split(project)), LEASES .. ':' .. project)
end

local function hold(id, project, until_ms)
  local expiry = text(until_ms)
  redis.call('ZADD', LEASES, expiry, id)
  redis.call('ZADD', LEASES .. ':' .. (split(project)), expiry, id)
  redis.call('ZADD', LEASES .. ':' .. project, expiry, id)
end

local function let_go(id, project)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', LEASES .. ':' .. (split(project)), id)
  redis.call('ZREM', LEASES .. ':' .. project, id)
end

local function held(key, now)
  return redis.call('ZCOUNT', key, '(' .. text(now), '+inf')
end
