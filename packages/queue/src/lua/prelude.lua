-- Put in front of every script by redis-lua.ts. What is the same for all of them:
-- KEYS  1 clock: a hash with v, epoch, run, swept (see epoch.lua), time and arrivals (see turns.lua)
--       2 the task's hash, in scripts about one task
-- ARGV  1 the time in ms for tests; '': Redis TIME  2 root of all keys, with the hash tag  3 retention of ended tasks in ms
-- All other names are made of the root, so that they are in the same slot.
--
-- A task's hash: v path state lease launch launchLease launchHead newest updated owner adoptions doneHead interrupt outcome
-- why endedAt errorCode errorMessage events; w… is the payload that waits, c… the one that runs or ended last:
-- Trigger Priority Command Head Queued Failures Infra, and of w… also Ready NotBefore Urgent Why; e0…e49 the newest events,
-- `events` counts all. What is empty or 0 is left out. Short values keep the hash a listpack.
--
-- A script first reads and checks, then writes; nothing may fail between two writes, for Redis rolls nothing back.
-- Scripts of a lease holder begin their writes with ZREM, which frees memory: so they also run on a store that is full.
local CLOCK, ROOT, RETENTION = KEYS[1], ARGV[2], tonumber(ARGV[3])
local DUE, LEASES, PARKED = ROOT .. 'due', ROOT .. 'leases', ROOT .. 'parked'
local RUNNING = { leased = true, running = true, publishing = true }
local PAYLOAD = { 'Trigger', 'Priority', 'Command', 'Head', 'Queued', 'Failures', 'Infra' }
local FIELDS = {
  'v', 'path', 'state', 'lease', 'launch', 'launchLease', 'launchHead', 'newest', 'updated', 'owner', 'adoptions', 'doneHead',
  'interrupt', 'outcome', 'why', 'endedAt', 'errorCode', 'errorMessage', 'events', 'wTrigger', 'wPriority', 'wCommand', 'wHead',
  'wQueued', 'wFailures', 'wInfra', 'wReady', 'wNotBefore', 'wUrgent', 'wWhy', 'cTrigger', 'cPriority', 'cCommand', 'cHead',
  'cQueued', 'cFailures', 'cInfra',
}
local HISTORY = 50
local TRIM_BATCH = 10
local EPOCH_NUMBERS = 4194304

local function now_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function text(number) return string.format('%.0f', number) end
local function state_key(state) return ROOT .. 'state:' .. state end

local function expect(kind, ...)
  for _, key in ipairs({ ... }) do
    local found = redis.call('TYPE', key).ok
    if found ~= kind and found ~= 'none' then
      error('WRONGTYPE ' .. key .. ' holds ' .. found .. ' where ' .. kind .. ' is expected', 0)
    end
  end
end

-- Fields of a hash that must be one; those that are not there are false.
local function fields_of(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  if found.err then error('WRONGTYPE ' .. key .. ' holds something else than a hash', 0) end
  return found
end

-- The task's hash as a table; empty when there is none, or it ended longer ago than it is kept.
local function load(key, now)
  local found = fields_of(key, unpack(FIELDS))
  local task = {}
  for i = 1, #FIELDS do
    local value = found[i]
    if value and value ~= '' then task[FIELDS[i]] = value end
  end
  if not task.v and redis.call('EXISTS', key) == 0 then return task, nil end
  if task.v ~= '1' and task.v ~= '2' then error('WRONGVERSION ' .. key .. ' has version ' .. tostring(task.v), 0) end
  if task.outcome and task.state == task.outcome and task.endedAt + RETENTION <= now then return {}, task.state end
  return task, nil
end

local function is_held(task, lease)
  return RUNNING[task.state] and task.lease == lease
end

-- Both `task` and the hash get the fields. Empty and 0 are left out, but for `newest`, of which 0 is a time.
local function write(key, task, fields)
  local set, gone = {}, {}
  for name, value in pairs(fields) do
    if type(value) == 'number' then value = text(value) end
    if value == '' or (value == '0' and name ~= 'newest') then
      if task[name] then gone[#gone + 1] = name end
      task[name] = nil
    else
      task[name] = value
      set[#set + 1] = name
      set[#set + 1] = value
    end
  end
  redis.call('HSET', key, unpack(set))
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

-- Adds one more event to the fields that are going to be written.
local function note(fields, task, now, what, who, detail)
  local count = (task.events or 0) + 1
  fields.v, fields.updated, fields.events = '2', fields.updated or now, count
  fields['e' .. (count % HISTORY)] = text(now) .. '|' .. what .. '|' .. who .. '|' .. detail
end

local function flat(task)
  local list, count = {}, 0
  for i = 1, #FIELDS do
    local value = task[FIELDS[i]]
    if value then
      list[count + 1], list[count + 2] = FIELDS[i], value
      count = count + 2
    end
  end
  return list
end

local function index(id, from, to, now)
  if from and from ~= to then redis.call('ZREM', state_key(from), id) end
  redis.call('ZADD', state_key(to), text(now), id)
end

-- The number after this one; in a new epoch it is greater than all of older ones, and counts on.
local function next_number(previous, epoch)
  previous = tonumber(previous or 0)
  if previous >= epoch * EPOCH_NUMBERS then return previous + 1 end
  return epoch * EPOCH_NUMBERS + previous % EPOCH_NUMBERS + 1
end

local function wake()
  redis.call('PUBLISH', ROOT .. 'wake', '1')
end
