-- Counts. A task whose lease ran out waits for a new holder, so it counts as waiting.
-- ARGV  4 how many of the projects in turn to look at, of each forge, and of all tasks that wait
-- reply {waiting, running, dead, processed today, age of the oldest ready in ms, parked tasks, what is set aside}, as text
local now = now_ms()
local upto = text(now)
local day = ROOT .. 'day:' .. text(math.floor(now / 86400000))
expect('zset', PARKED, ASIDE, DUE, LEASES, FORGES, state_key('waiting'), state_key('dead'))

local oldest = now
local function older(found)
  if found[2] then oldest = math.min(oldest, number(found[2]) or now) end
end
older(call('ZRANGEBYSCORE', DUE, '-inf', upto, 'WITHSCORES', 'LIMIT', 0, 1))
older(call('ZRANGEBYSCORE', LEASES, '-inf', upto, 'WITHSCORES', 'LIMIT', 0, 1))
local function look_at(forge)
  for _, member in ipairs(call('ZRANGE', turns_key(forge), 0, ARGV[4] - 1)) do
    local ready = ready_key(forge .. ':' .. string.match(member, ':(.+)$'))
    -- The first of each priority: at most as many steps as there are priorities in use.
    local bucket = 0
    while bucket <= 99 do
      local first = call('ZRANGEBYSCORE', ready, text(bucket * 1e13), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
      if not first[2] then break end
      bucket = math.floor(first[2] / 1e13)
      oldest = math.min(oldest, first[2] - bucket * 1e13)
      bucket = bucket + 1
    end
  end
end
-- One that is set aside hides no other.
for _, forge in ipairs(call('ZRANGE', FORGES, 0, -1)) do pcall(look_at, forge) end
-- What is in no turn shows here: of paused projects, of those at their limit or set aside, and what stands nowhere.
local function look_at_waiting(id)
  local score = pcall_redis('ZSCORE', ready_key(project_of(id)), id)
  if type(score) == 'string' then
    older({ id, score % 1e13 })
  elseif not pcall_redis('ZSCORE', DUE, id) then
    local task = load(ROOT .. 'task:' .. id, now)
    older({ id, task.state == 'waiting' and task.wReady or now })
  end
end
for _, id in ipairs(call('ZRANGE', state_key('waiting'), 0, ARGV[4] - 1)) do pcall(look_at_waiting, id) end

local processed = 0
for _, outcome in ipairs({ 'done', 'skipped', 'superseded', 'cancelled', 'dead' }) do
  local count = pcall_redis('HGET', day, outcome)
  processed = processed + (type(count) == 'string' and number(count) or 0)
end
local expired = call('ZCOUNT', LEASES, '-inf', upto)
local counts = {
  call('ZCARD', state_key('waiting')) + expired,
  call('ZCARD', LEASES) - expired,
  call('ZCOUNT', state_key('dead'), '(' .. text(now - RETENTION), '+inf'),
  processed,
  now - oldest,
  call('ZCARD', PARKED),
  call('ZCARD', ASIDE),
}
for i, count in ipairs(counts) do counts[i] = text(count) end
return counts
