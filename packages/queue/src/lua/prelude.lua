-- Put in front of every script by redis-lua.ts. What is the same for all of them:
-- KEYS  1 ready  2 delayed  3 leases  4 parked  5..13 an index for each state, in the order of STATES
-- ARGV  1 the time in ms for tests; '': Redis TIME  2 channel of wake-ups  3 retention of ended tasks in ms
--
-- A task's hash: v path state lease launch launchLease launchHead newest updated owner interrupt outcome why endedAt
-- errorCode errorMessage; w… is the payload that waits, c… the one that runs or ended last:
-- Trigger Priority Command Head Queued Failures Infra, and of w… also Ready NotBefore Urgent Why.
--
-- A script first reads and checks, then writes; nothing may fail between two writes, for Redis rolls nothing back.
-- Scripts of a lease holder begin their writes with ZREM, which frees memory: so they also run on a store that is full.
local READY, DELAYED, LEASES, PARKED = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local CHANNEL, RETENTION = ARGV[2], tonumber(ARGV[3])
local STATES = { 'waiting', 'leased', 'running', 'publishing', 'done', 'skipped', 'superseded', 'cancelled', 'dead' }
local RUNNING = { leased = true, running = true, publishing = true }
local INDEX = {}
for i, state in ipairs(STATES) do INDEX[state] = KEYS[4 + i] end
local PAYLOAD = { 'Trigger', 'Priority', 'Command', 'Head', 'Queued', 'Failures', 'Infra' }
local WAITING_FIELDS = {
  'wTrigger', 'wPriority', 'wCommand', 'wHead', 'wQueued', 'wFailures', 'wInfra', 'wReady', 'wNotBefore', 'wUrgent', 'wWhy',
}
local TRIM_BATCH = 10

local function now_ms()
  if ARGV[1] ~= '' then return tonumber(ARGV[1]) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function expect(kind, ...)
  for _, key in ipairs({ ... }) do
    local found = redis.call('TYPE', key).ok
    if found ~= kind and found ~= 'none' then
      error('WRONGTYPE ' .. key .. ' holds ' .. found .. ' where ' .. kind .. ' is expected', 0)
    end
  end
end

-- The task's hash as a table; empty when there is none, or it ended longer ago than it is kept.
local function load(key, now)
  expect('hash', key)
  local flat = redis.call('HGETALL', key)
  local task = {}
  for i = 1, #flat, 2 do task[flat[i]] = flat[i + 1] end
  if #flat > 0 and task.v ~= '1' then error('WRONGVERSION ' .. key .. ' has version ' .. tostring(task.v), 0) end
  if task.outcome and task.state == task.outcome and task.endedAt + RETENTION <= now then return {}, task.state end
  return task, nil
end

local function is_held(task, lease)
  return RUNNING[task.state] and task.lease == lease
end

-- Both `task` and the hash get the fields.
local function write(key, task, fields)
  local flat = {}
  for name, value in pairs(fields) do
    if type(value) == 'number' then value = string.format('%.0f', value) end
    task[name] = value
    flat[#flat + 1] = name
    flat[#flat + 1] = value
  end
  redis.call('HSET', key, unpack(flat))
end

local function clear_waiting(key, task)
  for _, name in ipairs(WAITING_FIELDS) do task[name] = nil end
  redis.call('HDEL', key, unpack(WAITING_FIELDS))
end

local function index(id, from, to, now)
  if from and from ~= to then redis.call('ZREM', INDEX[from], id) end
  redis.call('ZADD', INDEX[to], string.format('%.0f', now), id)
end

-- Highest priority first, then the one that was ready first. Priorities are 0 to 99: exact in a double.
local function ready_score(priority, ready)
  return string.format('%.0f', (99 - priority) * 1e13 + ready)
end

local function place(id, task, now)
  local ready = tonumber(task.wReady)
  if ready <= now then
    redis.call('ZREM', DELAYED, id)
    redis.call('ZADD', READY, ready_score(task.wPriority, ready), id)
  else
    redis.call('ZREM', READY, id)
    redis.call('ZADD', DELAYED, string.format('%.0f', ready), id)
  end
end

local function wake()
  redis.call('PUBLISH', CHANNEL, '1')
end
