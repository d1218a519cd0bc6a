-- Takes over a task whose lease ran out, else takes the next ready one.
-- The hash of the task is not known before: its name is made from the prefix, in the same slot as the keys.
-- KEYS  none of its own
-- ARGV  4 prefix of task keys  5 owner  6 ttl ms  7 max running  8 how many delayed tasks to move at most
-- reply {parked ids, task id or '', state it was adopted in or '', hash of the task as a flat list}
local PREFIX, OWNER, TTL, MAX_RUNNING, BATCH = ARGV[4], ARGV[5], tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local MAX_TRIES = 10
local now = now_ms()
local upto = string.format('%.0f', now)
expect('zset', READY, DELAYED, LEASES, PARKED, INDEX.waiting, INDEX.leased, INDEX.running, INDEX.publishing)
if redis.call('ZCOUNT', LEASES, '(' .. upto, '+inf') >= MAX_RUNNING then return { {}, '', '', {} } end

-- A hash that is gone or that we cannot read must not stop all others: its id is set aside for a person.
local parked = {}
local function park(id)
  redis.call('ZREM', LEASES, id)
  redis.call('ZREM', READY, id)
  redis.call('ZREM', DELAYED, id)
  redis.call('ZADD', PARKED, upto, id)
  parked[#parked + 1] = id
end
local function readable(id, want)
  local ok, task = pcall(load, PREFIX .. id, now)
  if ok and want(task) then return task end
  park(id)
  return nil
end
local function take(id, task, fields)
  fields.lease, fields.owner, fields.updated = task.lease + 1, OWNER, now
  write(PREFIX .. id, task, fields)
  redis.call('ZADD', LEASES, string.format('%.0f', now + TTL), id)
end

for _ = 1, MAX_TRIES do
  local id = redis.call('ZRANGEBYSCORE', LEASES, '-inf', upto, 'LIMIT', 0, 1)[1]
  if not id then break end
  local task = readable(id, function(found) return RUNNING[found.state] end)
  if task then
    redis.call('ZREM', LEASES, id)
    take(id, task, {})
    index(id, task.state, task.state, now)
    return { parked, id, task.state, redis.call('HGETALL', PREFIX .. id) }
  end
end

local function waits(found) return found.state == 'waiting' and found.wReady and found.wPriority end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', upto, 'LIMIT', 0, BATCH)) do
  local task = readable(id, waits)
  if task then place(id, task, now) end
end

for _ = 1, MAX_TRIES do
  local id = redis.call('ZRANGE', READY, 0, 0)[1]
  if not id then break end
  local task = readable(id, waits)
  if task then
    redis.call('ZREM', READY, id)
    local fields = { state = 'leased', interrupt = '' }
    for _, name in ipairs(PAYLOAD) do fields['c' .. name] = task['w' .. name] end
    take(id, task, fields)
    clear_waiting(PREFIX .. id, task)
    index(id, 'waiting', 'leased', now)
    return { parked, id, '', redis.call('HGETALL', PREFIX .. id) }
  end
end
return { parked, '', '', {} }
