-- Looks at a slice of what should wait, run or stand aside, and puts right what stands nowhere: each task that is accepted
-- comes up again, whatever foreign key took its place away and is gone since.
-- ARGV  4 what: `aside`, `parked`, or a state  5 from which score  6 how many of that score were seen  7 how many to look at
-- reply {next score or '': there is no more, how many of that were seen, {what was found or done: `<what> <name>`, …}}
--       `foreign <key>`: it holds something else; `mended <place>`: it is whole again; `aside <place>`: it is not;
--       `placed <id>`: it stood nowhere; `unparked <id>`: it can be read again; `parked <id>`: it cannot be
local WHAT, FROM, SEEN, MOST = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7])
local now = now_ms()
local NOW = text(now)
local said = {}
local function tell(what, name) said[#said + 1] = what .. ' ' .. name end

local TYPES = {
  zset = { 'leases', 'due', 'projects', 'forges', 'idle', 'parked', 'aside', 'ready', 'delayed' },
  hash = { 'clock', 'shares', 'pauses', 'day:' .. text(math.floor(now / 86400000)) },
  list = { 'pause-events' },
}
local STATES = { 'waiting', 'leased', 'running', 'publishing', 'done', 'skipped', 'superseded', 'cancelled', 'dead' }
local function look_at_types()
  for kind, names in pairs(TYPES) do
    for _, name in ipairs(names) do
      if not pcall(expect, kind, ROOT .. name) then tell('foreign', name) end
    end
  end
  for _, state in ipairs(STATES) do
    if not pcall(expect, 'zset', state_key(state)) then tell('foreign', 'state:' .. state) end
  end
end

local function set_place_aside(place)
  if set_aside(place, now) then tell('aside', place) end
end
local function is_whole(project)
  return pcall(expect_places, project) and pcall(expect_leases, project)
end

-- Has taken something from the zset that is walked.
local gone = {}
local function look_at_aside(name)
  local kind, place = string.match(name, '^(%a+):(.+)$')
  if kind == 'project' and forge_of(place) then
    if not is_whole(place) then return end
    call('ZREM', ASIDE, name)
    enter(place)
  else
    if kind == 'forge' then
      if not pcall(expect, 'zset', turns_key(place), LEASES .. ':' .. place, FORGES) then return end
      call('ZADD', FORGES, 0, place)
    end
    call('ZREM', ASIDE, name)
  end
  gone[name] = true
  tell('mended', name)
end

local function park_here(id)
  park(id, now)
  gone[id] = true
  tell('parked', id)
end

-- Gives a task its place. `why` is what its history says; answers whether it stands there now.
local function place_again(id, project, task, why)
  if not is_whole(project) then
    set_place_aside('project:' .. project)
    return false
  end
  if task.state == 'waiting' then
    note(task, NOW, 'queued', 'sweep', why)
    write(ROOT .. 'task:' .. id, task, { updated = now })
    recall(project, task)
    place(id, project, task, now, true)
    enter(project)
  elseif is_abandoned(id, task) then
    abandon(id, project, now + GRACE_MS)
  end
  index(id, nil, task.state, task.updated or NOW)
  return true
end

local function look_at_parked(id)
  local project = project_of(id)
  local ok, task = pcall(load_sound, ROOT .. 'task:' .. id, now)
  if not ok or not project or not task.state or not place_again(id, project, task, 'parked before') then return end
  call('ZREM', PARKED, id)
  gone[id] = true
  tell('unparked', id)
end

-- What an index says that is not so.
local function look_closer(id, project, state)
  local ok, task = pcall(load_sound, ROOT .. 'task:' .. id, now)
  if not ok or not project or not task.state then return park_here(id) end
  if task.state ~= state then
    later(state_key(state), id, false)
    gone[id] = true
  end
  if place_again(id, project, task, 'stood nowhere') and task.state == state then
    gone[id] = true
    tell('placed', id)
  end
end

-- Projects that have something ready are in turn unless they are held back: one at its limit leaves again.
local entered = {}
local function look_at_project(project)
  if entered[project] then return end
  entered[project] = true
  if not is_whole(project) then return set_place_aside('project:' .. project) end
  call('ZADD', FORGES, 0, forge_of(project))
  call('ZADD', PROJECTS, 0, project)
  enter(project)
end

local function look_at_waiting(id)
  local project = project_of(id)
  local found = project and pcall_redis('ZSCORE', ready_key(project), id)
  if type(found) == 'table' then return set_place_aside('project:' .. project) end
  if not found and not (project and call('ZSCORE', DUE, id)) then return look_closer(id, project, 'waiting') end
  look_at_project(project)
end

local function look_at_held(id)
  if not call('ZSCORE', LEASES, id) then return look_closer(id, project_of(id), WHAT) end
  look_at_project(project_of(id))
end

local WALKS = { aside = { ASIDE, look_at_aside }, parked = { PARKED, look_at_parked }, waiting = { state_key('waiting'), look_at_waiting } }
local walk = WALKS[WHAT] or { state_key(WHAT), look_at_held }
if WHAT == 'aside' and FROM == '-inf' then look_at_types() end
-- What is walked and what every task needs; where that is foreign, nothing can be put right.
for _, key in ipairs({ walk[1], PARKED, ASIDE, DUE, LEASES }) do
  if not pcall(expect, 'zset', key) then return { '', '0', said } end
end
expect('zset', state_key('waiting'), state_key('leased'), state_key('running'), state_key('publishing'))

local found = call('ZRANGEBYSCORE', walk[1], FROM, '+inf', 'WITHSCORES', 'LIMIT', SEEN, MOST)
for i = 1, #found, 2 do
  local ok, thrown = pcall(walk[2], found[i])
  if not ok and not string.find(failure_of(thrown).err, 'WRONG', 1, true) then error(thrown, 0) end
end
flush()
if said[1] then wake() end
if #found < 2 * MOST then return { '', '0', said } end
local last = found[#found]
local seen = last == FROM and SEEN or 0
for i = 1, #found, 2 do
  if found[i + 1] == last and not gone[found[i]] then seen = seen + 1 end
end
return { last, text(seen), said }
