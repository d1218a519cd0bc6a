-- Where a task waits, whose turn it is, and who holds a slot. The reference is fair-turns.ts.
--
-- ready:<project>   zset of tasks that are due; score = priority, then age
-- due               zset of tasks that wait for their time; score = when
-- turns:<forge>     zset of projects that want a turn: `<order of arrival>:<project id>`; score = virtual start time
-- project:<project> hash: turn (its member there, if it is in turn), finish (where its last turn ended), path,
--                   delayed (how many of its tasks are in `due`; for people)
-- path:<project>    what a project was called that is forgotten; as long as its tasks may be asked to run again
-- projects, forges  zsets with score 0, in the order of their names
-- idle              zset of projects that have nothing; score = finish. Forgotten once virtual time has passed it
-- leases, leases:<forge>, leases:<project>  zsets of tasks that hold a lease; score = expiry
-- shares            hash: project -> `<weight> <most running, or ->`      pauses  hash: scope -> `<ms>|<by>|<why>`
-- pause-events      list, newest first: `<ms>|<paused or resumed>|<by>|<scope>|<why>`
-- aside             zset of `forge:<forge>` and `project:<project>` under whose keys stands something else; score = since when
local FORGES = ROOT .. 'forges'
local PROJECTS = ROOT .. 'projects'
local IDLE = ROOT .. 'idle'
local SHARES = ROOT .. 'shares'
local PAUSES = ROOT .. 'pauses'
local ASIDE = ROOT .. 'aside'

local function project_of(id) return string.match(id, '^[^:]+:([^:]+:.+):[^:]+$') end
local function forge_of(project) return string.match(project, '^[^:]+') end
local function ready_key(project) return ROOT .. 'ready:' .. project end
local function project_key(project) return ROOT .. 'project:' .. project end
local function turns_key(forge) return ROOT .. 'turns:' .. forge end
-- Whether anything is paused, looked up once.
local pauses_found
local function has_pauses()
  if pauses_found == nil then pauses_found = call('EXISTS', PAUSES) == 1 end
  return pauses_found
end
-- Read once by whoever needs it; moved by a lease.
local forges_known, virtual_time = {}, nil
-- What `enter` needs besides the project's own places.
local entry_checked = false
local function expect_entry()
  if entry_checked then return end
  expect('zset', FORGES, PROJECTS, IDLE, ASIDE)
  if has_pauses() then expect('hash', PAUSES) end
  virtual_time = virtual_time or number(fields_of(CLOCK, 'time')[1]) or 0
  entry_checked = true
end
local function expect_places(project)
  expect('zset', ready_key(project), DUE, turns_key(forge_of(project)))
  expect('hash', project_key(project))
  expect_entry()
end

local function is_project_paused(project)
  return has_pauses() and call('HEXISTS', PAUSES, 'project:' .. project) == 1
end

-- Forges and projects that were set aside, looked up once: mostly there are none.
local aside_found
local function set_aside(name, now)
  aside_found = true
  return call('ZADD', ASIDE, 'NX', text(now), name) == 1
end
local function is_mended(name)
  if aside_found == nil then aside_found = call('EXISTS', ASIDE) == 1 end
  if aside_found then call('ZREM', ASIDE, name) end
end

-- Numbers in the order in which they are taken; some at once, and what is left of them is never used.
local ARRIVALS = 20
local arrival, last_arrival = 0, 0
local function next_arrival()
  if arrival == last_arrival then
    last_arrival = pcall_redis('HINCRBY', CLOCK, 'arrivals', ARRIVALS)
    if type(last_arrival) ~= 'number' then
      -- No number any more: on from one that is greater than all that were counted.
      last_arrival = now_ms()
      call('HSET', CLOCK, 'arrivals', text(last_arrival))
    end
    arrival = last_arrival - ARRIVALS
  end
  arrival = arrival + 1
  return arrival
end

local function turn_member(forge, project)
  return string.format('%015d', next_arrival()) .. string.sub(project, #forge + 1)
end
local function project_in(forge, member) return forge .. string.sub(member, 16) end

-- The project gets in turn if it is not, has something ready, and is not held back by a pause. `known`: its turn and finish
-- if they were read already; `is_ready`: it is known to have something.
local function enter(project, known, is_ready)
  known = known or call('HMGET', project_key(project), 'turn', 'finish')
  local forge = forge_of(project)
  -- Looked up, for the turns may have been lost: then each event brings its project back.
  if known[1] and call('ZSCORE', turns_key(forge), known[1]) then return end
  if is_project_paused(project) then return end
  if not is_ready and call('EXISTS', ready_key(project)) == 0 then return end
  virtual_time = virtual_time or number(fields_of(CLOCK, 'time')[1]) or 0
  if not forges_known[forge] then
    call('ZADD', FORGES, 0, forge)
    forges_known[forge] = true
  end
  call('ZADD', PROJECTS, 0, project)
  call('ZREM', IDLE, project)
  is_mended('project:' .. project)
  local turn = turn_member(forge, project)
  call('ZADD', turns_key(forge), text(math.max(virtual_time, number(known[2]) or 0)), turn)
  call('HSET', project_key(project), 'turn', turn)
end

-- Once what happened to a task is written: a project that then gets no turn is set aside, and audit.lua looks after it.
local function afterwards(work, project, known)
  if not pcall(work, project, known) then pcall(set_aside, 'project:' .. project, now_ms()) end
end

-- Projects whose hash says that they are in turn. They are looked up together at the end, as `enter` does one by one.
local supposed = {}
local function suppose(project, turn)
  local forge = forge_of(project)
  local those = supposed[forge] or { projects = {}, turns = {} }
  supposed[forge] = those
  local at = #those.turns + 1
  those.projects[at], those.turns[at] = project, turn
end
local function confirm_turns(otherwise)
  for forge, those in pairs(supposed) do
    local starts = pcall_redis('ZMSCORE', turns_key(forge), unpack(those.turns))
    for i, project in ipairs(those.projects) do
      if not starts[i] then afterwards(otherwise, project) end
    end
  end
end

local function leave(project)
  local turn = call('HGET', project_key(project), 'turn')
  if not turn then return end
  call('ZREM', turns_key(forge_of(project)), turn)
  call('HDEL', project_key(project), 'turn')
end

-- A task of a project that was forgotten waits again, and nothing new says what it is called.
local function path_key(project) return ROOT .. 'path:' .. project end
local function recall(project, task)
  if call('HEXISTS', project_key(project), 'path') == 1 then return end
  local kept = pcall_redis('GET', path_key(project))
  call('HSET', project_key(project), 'path', type(kept) == 'string' and kept or task.path or '')
  call('ZADD', PROJECTS, 0, project)
end

-- A project that has nothing is forgotten some time; not before virtual time has passed its last turn.
local function rest(project)
  if call('EXISTS', ready_key(project), LEASES .. ':' .. project) > 0 then return end
  local known = call('HMGET', project_key(project), 'finish', 'delayed')
  if (number(known[2]) or 0) <= 0 then call('ZADD', IDLE, text(number(known[1]) or 0), project) end
end

local function forget(project)
  call('ZREM', IDLE, project)
  -- One that is still in turn, though its last task was cancelled, rests when its turn comes.
  local known = call('HMGET', project_key(project), 'delayed', 'turn')
  local busy = known[2] or (number(known[1]) or 0) > 0 or call('EXISTS', ready_key(project), LEASES .. ':' .. project) > 0
  if not busy and call('HEXISTS', SHARES, project) == 0 and not is_project_paused(project) then
    local path = call('HGET', project_key(project), 'path')
    if path then call('SET', path_key(project), path, 'PX', ARGV[3]) end
    call('DEL', project_key(project))
    call('ZREM', PROJECTS, project)
  end
end
-- Once a lease is written: whatever stands there, the lease stands.
local function forget_idle(time)
  local idle = pcall_redis('ZRANGEBYSCORE', IDLE, '-inf', text(time), 'LIMIT', 0, TRIM_BATCH)
  for _, project in ipairs(idle) do pcall(forget, project) end
end

-- Highest priority first, then the one that was ready first. Priorities are 0 to 99: exact in a double.
local function ready_score(priority, ready)
  return text((99 - priority) * 1e13 + ready)
end

-- A count for people, which begins anew when it is no number any more.
local function count_delayed(project, by)
  local answer = pcall_redis('HINCRBY', project_key(project), 'delayed', by)
  if type(answer) == 'table' then pcall_redis('HSET', project_key(project), 'delayed', math.max(0, by)) end
end
local function not_due(id, project)
  if call('ZREM', DUE, id) == 1 then count_delayed(project, -1) end
end

-- Puts a waiting task where its time wants it. `waited`: it may stand somewhere already; `known`: see `enter`.
local function place(id, project, task, now, waited, known)
  local ready = tonumber(task.wReady)
  if ready <= now then
    if waited then not_due(id, project) end
    call('ZADD', ready_key(project), ready_score(task.wPriority, ready), id)
    enter(project, known, true)
  else
    if waited then call('ZREM', ready_key(project), id) end
    if call('ZADD', DUE, text(ready), id) == 1 then count_delayed(project, 1) end
  end
end

local function expect_leases(project)
  expect('zset', LEASES, LEASES .. ':' .. forge_of(project), LEASES .. ':' .. project)
end

-- `expiry` is a text.
local function hold(id, project, expiry)
  call('ZADD', LEASES .. ':' .. project, expiry, id)
  later(LEASES, id, expiry)
  later(LEASES .. ':' .. forge_of(project), id, expiry)
end

-- Its first write may be the first of a script.
local function let_go(id, project)
  first_write('ZREM', LEASES .. ':' .. project, id)
  later(LEASES, id, false)
  later(LEASES .. ':' .. forge_of(project), id, false)
end

local function held(key, now)
  return call('ZCOUNT', key, '(' .. text(now), '+inf')
end
