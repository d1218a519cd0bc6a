-- The library of all scripts: redis-lua.ts puts before each script those of these declarations that it uses, for each is
-- made anew whenever a script runs. What is the same for all of them:
-- KEYS  1 clock: a hash with v, epoch, run, swept (see epoch.lua), time and arrivals (see turns.lua)
--       2 the task's hash, in scripts about one task that do not take several at once
-- ARGV  1 the time in ms for tests; '': Redis TIME  2 root of all keys, with the hash tag  3 retention of ended tasks in ms
-- All other names are made of the root, so that they are in the same slot.
--
-- A task's hash: v path state lease launch launchLease launchHead newest updated owner adoptions doneHead interrupt outcome
-- why endedAt errorCode errorMessage events; w… is the payload that waits, c… the one that runs or ended last:
-- Trigger Priority Command Head Queued Failures Infra, and of w… also Ready NotBefore Urgent Why; e0…e49 the newest events as
-- `<ms>|<what>|<who>|<detail>` (and `|<launch>`), `events` counts all. What is empty or 0 is left out; of an ended
-- task owner, interrupt and why may be empty instead. Short values keep the hash a listpack.
--
-- A script first reads and checks, then writes; nothing may fail between two writes, for Redis rolls nothing back. Its first
-- write may be the check of its key (`first_write`).
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
local PAYLOAD = { 'Trigger', 'Priority', 'Command', 'Head', 'Queued', 'Failures', 'Infra' }
local HISTORY = 50
-- More than a script that takes several at once adds.
local TRIM_BATCH = 50
local EPOCH_NUMBERS = 4194304

local function now_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local texts = {}
local function text(number)
  local known = texts[number]
  if not known then
    known = string.format('%.0f', number)
    texts[number] = known
  end
  return known
end
local function state_key(state) return ROOT .. 'state:' .. state end

-- What has the right type keeps it while a script runs.
local checked = {}
local function expect(kind, key, ...)
  if not checked[key] then
    local found = call('TYPE', key).ok
    if found ~= kind and found ~= 'none' then
      error('WRONGTYPE ' .. key .. ' holds ' .. found .. ' where ' .. kind .. ' is expected', 0)
    end
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

-- The task's hash as a table; empty when there is none, or it ended longer ago than it is kept: then its state is answered,
-- too. In a listpack all fields at once cost less than a dozen that are asked for, of which each is looked for.
local function load(key, now)
  local found = pcall_redis('HGETALL', key)
  if found.err then error('WRONGTYPE ' .. key .. ' holds something else than a hash', 0) end
  local task = {}
  for i = 1, #found, 2 do
    if found[i + 1] ~= '' then task[found[i]] = found[i + 1] end
  end
  if task.v ~= '2' and task.v ~= '1' then
    if not found[1] then return task, nil end
    error('WRONGVERSION ' .. key .. ' has version ' .. tostring(task.v), 0)
  end
  if task.outcome and task.state == task.outcome and task.endedAt + RETENTION <= now then return {}, task.state end
  return task, nil
end

local function is_held(task, lease)
  return RUNNING[task.state] and task.lease == lease
end

-- Both `task` and the hash get the fields. Empty and 0 are left out, but for `newest`, of which 0 is a time.
local function write(key, task, fields)
  local set, gone, last = {}, {}, 0
  for name, value in pairs(fields) do
    if type(value) == 'number' then value = text(value) end
    if value == '' or (value == '0' and name ~= 'newest') then
      if task[name] then gone[#gone + 1] = name end
      task[name] = nil
    else
      if task[name] ~= value then
        set[last + 1], set[last + 2] = name, value
        last = last + 2
      end
      task[name] = value
    end
  end
  call('HSET', key, unpack(set))
  if gone[1] then call('HDEL', key, unpack(gone)) end
end

-- Adds one more event to the fields that are going to be written.
local function note(fields, task, now, what, who, detail)
  local count = (task.events or 0) + 1
  fields.v, fields.updated, fields.events = '2', fields.updated or now, count
  fields['e' .. (count % HISTORY)] = text(now) .. '|' .. what .. '|' .. who .. '|' .. detail
end

-- Changes of zsets that nothing in the same run of a script reads: written together by `flush`, each zset's in one command.
-- A score, or false: removed. The last word about a member counts. Their types must have been checked.
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
  for key, changes in pairs(put_off) do
    local added, removed = {}, {}
    for member, score in pairs(changes) do
      if score then
        added[#added + 1], added[#added + 2] = score, member
      else
        removed[#removed + 1] = member
      end
    end
    if removed[1] then call('ZREM', key, unpack(removed)) end
    if added[1] then call('ZADD', key, unpack(added)) end
  end
  put_off = {}
end

local function index(id, from, to, now)
  if from and from ~= to then later(state_key(from), id, false) end
  later(state_key(to), id, text(now))
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
