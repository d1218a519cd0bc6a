-- The library of all scripts: redis-lua.ts puts before each script those of these declarations that it uses, for each is
-- made anew whenever a script runs. What is the same for all of them:
-- KEYS  1 clock: a hash with v, epoch, run, swept (see epoch.lua), time and arrivals (see turns.lua)
--       2 the task's record, in scripts about one task that do not take several at once
-- ARGV  1 the time in ms for tests; '': Redis TIME  2 root of all keys, with the hash tag  3 retention of ended tasks in ms
-- All other names are made of the root, so that they are in the same slot.
--
-- A task's record: v path state lease launch launchLease launchHead newest updated owner adoptions doneHead interrupt outcome
-- why endedAt errorCode errorMessage; w… is the payload that waits, c… the one that runs or ended last: Trigger Priority
-- Command Head Queued Failures Infra, and of w… also Ready NotBefore Urgent Why; history: the newest events, each
-- `<ms>|<what>|<who>|<detail>` (and `|<launch>`) and a line's end. All are texts; what is empty or 0 is left out. It is stored
-- as one text, packed (MessagePack): read, unpacked, packed and written it costs half of a hash of the same fields. Only
-- `load`, `write` and `write_later` know that; in TypeScript redis-packed-task.ts.
--
-- A script first reads and checks, then writes; nothing may fail between two writes, for Redis rolls nothing back. Its first
-- write may be the check of its key (`first_write`). What comes after the task's own writes (turns, counts, what is idle) may
-- fail and takes nothing back: audit.lua finds what then stands nowhere.
-- Scripts of a lease holder begin their writes with ZREM, which frees memory: so they also run on a store that is full.
-- Several at once: each is tried by itself; what is put off (see `later`) is written at the end whatever became of them.
local call, pcall_redis = redis.call, redis.pcall
local CLOCK = KEYS[1]
local ROOT = ARGV[2]
local RETENTION = tonumber(ARGV[3])
local DUE = ROOT .. 'due'
local LEASES = ROOT .. 'leases'
local PARKED = ROOT .. 'parked'
local RUNNING = { leased = true, running = true, publishing = true }
local ENDED = { done = true, skipped = true, superseded = true, cancelled = true, dead = true }
local PAYLOAD = { 'Trigger', 'Priority', 'Command', 'Head', 'Queued', 'Failures', 'Infra' }
local RECORD = '3'
local HISTORY = 50
-- Shorter than so many events can be.
local SHORT_HISTORY = 1000
-- More than a script that takes several at once adds.
local TRIM_BATCH = 50
local EPOCH_NUMBERS = 4194304

local function now_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Exact to 2^53; `%.0f` takes three times as long.
local function text(number) return string.format('%d', math.floor(number + 0.5)) end
local state_keys = {}
local function state_key(state)
  local key = state_keys[state]
  if not key then
    key = ROOT .. 'state:' .. state
    state_keys[state] = key
  end
  return key
end

local function expect_once(kind, key)
  local found = call('TYPE', key).ok
  if found == kind or found == 'none' then return end
  error('WRONGTYPE ' .. key .. ' holds ' .. found .. ' where ' .. kind .. ' is expected', 0)
end
-- What is a number, or nil; neither infinite nor too long to be ours.
local function number(value)
  local found = tonumber(value)
  if found and found > -9e15 and found < 9e15 then return found end
  return nil
end

-- What has the right type keeps it while a script runs: of keys that many need it is asked once.
local checked = {}
local function expect(kind, key, ...)
  if not checked[key] then
    expect_once(kind, key)
    checked[key] = true
  end
  if ... then expect(kind, ...) end
end

-- Fields of a hash that must be one; those that are not there are false.
local function fields_of(key, ...)
  local found = pcall_redis('HMGET', key, ...)
  if found.err then error('WRONGTYPE ' .. key .. ' holds something else than a hash', 0) end
  return found
end

-- The first write of several, which refuses what `expect` would: it is not asked twice.
local function first_write(command, key, ...)
  local answer = pcall_redis(command, key, ...)
  if type(answer) ~= 'table' or not answer.err then return end
  expect('zset', key)
  error(answer, 0)
end

-- Texts as they were looked up together, or were written since; false: nothing stands there.
local stored = {}
-- One look at many keys; at none of them, if at one stands something that is no text.
local function look_up(keys)
  local found, some = call('MGET', unpack(keys)), 0
  for i, key in ipairs(keys) do
    stored[key] = found[i]
    if found[i] then some = some + 1 end
  end
  if call('EXISTS', unpack(keys)) > some then stored = {} end
end

-- Versions 1 and 2 were hashes, with the history in a ring of fields.
local function load_hash(key)
  local found = pcall_redis('HGETALL', key)
  if found.err then error('WRONGTYPE ' .. key .. ' holds something else than a task', 0) end
  local task, ring = {}, {}
  for i = 1, #found, 2 do
    local at = string.match(found[i], '^e(%d+)$')
    if at then
      ring[tonumber(at)] = found[i + 1]
    elseif found[i + 1] ~= '' then
      task[found[i]] = found[i + 1]
    end
  end
  if task.v ~= '2' and task.v ~= '1' then error('WRONGVERSION ' .. key .. ' has version ' .. tostring(task.v), 0) end
  task.v = RECORD
  local lines, all = {}, number(task.events) or 0
  for number = math.max(1, all - HISTORY + 1), all do
    lines[#lines + 1] = ring[number % HISTORY]
  end
  task.events = nil
  if lines[1] then task.history = table.concat(lines, '\n') .. '\n' end
  return task
end

-- The task's record as a table; empty when there is none, or it ended longer ago than it is kept: then its state is
-- answered, too.
local function load(key, now)
  local packed = stored[key]
  if packed == nil then packed = pcall_redis('GET', key) end
  if not packed then return { v = RECORD }, nil end
  local task
  if type(packed) == 'table' then
    task = load_hash(key)
  else
    local ok, found = pcall(cmsgpack.unpack, packed)
    if not ok or type(found) ~= 'table' or found.v ~= RECORD then
      error('WRONGVERSION ' .. key .. ' holds something else than a task of version ' .. RECORD, 0)
    end
    task = found
  end
  if task.outcome and task.state == task.outcome and (number(task.endedAt) or now) + RETENTION <= now then
    return { v = RECORD }, task.state
  end
  return task, nil
end

local function sum_of(task)
  return (task.wReady or 0) + (task.wPriority or 0) + (task.wQueued or 0) + (task.wNotBefore or 0) + (task.wFailures or 0)
    + (task.wInfra or 0) + (task.cPriority or 0) + (task.cQueued or 0) + (task.cFailures or 0) + (task.cInfra or 0)
    + (task.lease or 0) + (task.launch or 0) + (task.launchLease or 0) + (task.adoptions or 0) + (task.newest or 0) + (task.updated or 0)
    + (task.endedAt or 0)
end
-- A field that somebody damaged is found before anything is written.
local function expect_sound(task, key)
  local ok, sum = pcall(sum_of, task)
  if not ok or not number(sum) then error('WRONGVERSION ' .. key .. ' has a number that is none', 0) end
  local state = task.state
  if state and state ~= 'waiting' and not RUNNING[state] and not ENDED[state] then
    error('WRONGVERSION ' .. key .. ' is in a state that is none', 0)
  end
  local waits, runs = task.wTrigger or state == 'waiting', RUNNING[state]
  if (waits and not (task.wTrigger and task.wPriority and task.wQueued and task.wReady))
    or (runs and not (task.cTrigger and task.cPriority and task.cQueued)) then
    error('WRONGVERSION ' .. key .. ' lacks a field', 0)
  end
  for name, value in pairs(task) do
    if type(value) ~= 'string' then error('WRONGVERSION ' .. key .. ' has a field that is no text', 0) end
  end
end
local function load_sound(key, now)
  local task, forgotten = load(key, now)
  expect_sound(task, key)
  return task, forgotten
end

local function is_held(task, lease)
  return RUNNING[task.state] and task.lease == lease
end

-- Adds one more event to a task that is going to be written; `at` is a text.
local function note(task, at, what, who, detail)
  local history = task.history or ''
  if #history >= SHORT_HISTORY then
    local _, lines = string.gsub(history, '\n', '\n')
    if lines >= HISTORY then history = string.sub(history, string.find(history, '\n', 1, true) + 1) end
  end
  task.history = history .. at .. '|' .. what .. '|' .. who .. '|' .. detail .. '\n'
end

-- Records that are written together by `flush`: only after a write that a full store would have refused.
local records = {}
local function write_later(key, task)
  local packed = cmsgpack.pack(task)
  stored[key], records[key] = packed, packed
end

-- Both `task` and its record get the fields, but what is empty or 0; of `newest` 0 is a time. `ttl`: it is kept so long,
-- in ms; nil: until it has ended.
local function write(key, task, fields, ttl)
  for name, value in pairs(fields) do
    if type(value) == 'number' then value = text(value) end
    if value == '' or (value == '0' and name ~= 'newest') then value = nil end
    task[name] = value
  end
  local packed = cmsgpack.pack(task)
  stored[key], records[key] = packed, nil
  if ttl then call('SET', key, packed, 'PX', ttl) else call('SET', key, packed) end
end

-- Changes of zsets that nothing in the same run of a script reads: written together by `flush`, each zset's in one command.
-- A score, or false: removed. The last word about a member counts. Their types must have been checked.
-- One that is refused all the same stops no other: what has begun is written as far as it can be, and then told.
local put_off = {}
local function later(key, member, score)
  local changes = put_off[key]
  if not changes then
    changes = {}
    put_off[key] = changes
  end
  changes[member] = score
end
local function flush()
  local refused
  local function try(...)
    local answer = pcall_redis(...)
    if type(answer) == 'table' and answer.err then refused = refused or answer end
  end
  for key, changes in pairs(put_off) do
    local added, removed, last, gone = {}, {}, 0, 0
    for member, score in pairs(changes) do
      if score then
        added[last + 1], added[last + 2], last = score, member, last + 2
      else
        gone = gone + 1
        removed[gone] = member
      end
    end
    if removed[1] then try('ZREM', key, unpack(removed)) end
    if added[1] then try('ZADD', key, unpack(added)) end
  end
  put_off = {}
  local set, last = {}, 0
  for key, packed in pairs(records) do
    set[last + 1], set[last + 2], last = key, packed, last + 2
  end
  if last > 0 then try('MSET', unpack(set)) end
  records = {}
  if refused then error(refused, 0) end
end

local function index(id, from, to, at)
  if from and from ~= to then later(state_key(from), id, false) end
  later(state_key(to), id, at)
end

-- The number after this one; in a new epoch it is greater than all of older ones, and counts on.
local function next_number(previous, epoch)
  previous = tonumber(previous or 0)
  if previous >= epoch * EPOCH_NUMBERS then return previous + 1 end
  return epoch * EPOCH_NUMBERS + previous % EPOCH_NUMBERS + 1
end

-- With an id: the one who holds that task is to look at it.
local function wake(id)
  call('PUBLISH', ROOT .. 'wake', id or '1')
end

-- What went wrong with one of several, as its reply. What Redis refuses to write, it refuses all of them.
local function failure_of(thrown)
  local message = type(thrown) == 'table' and thrown.err or tostring(thrown)
  if not string.find(message, '^WRONG') then
    for sign in string.gmatch('READONLY OOM MISCONF NOREPLICAS', '%u+') do
      if string.find(message, sign, 1, true) then error(thrown, 0) end
    end
  end
  return { err = message }
end
