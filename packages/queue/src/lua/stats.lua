-- Counts. A task whose lease ran out waits for a new holder, so it counts as waiting.
-- ARGV  4 how many of the projects in turn to look at, of each forge
-- reply {waiting, running, dead, processed today, age of the oldest ready in ms, parked tasks, what is set aside}, as text
local now = now_ms()
local upto = text(now)
local day = ROOT .. 'day:' .. text(math.floor(now / 86400000))
expect('hash', day)
expect('zset', PARKED, ASIDE, DUE, LEASES, FORGES, state_key('waiting'), state_key('dead'))

local oldest = now
local function older(found)
  if found[2] then oldest = math.min(oldest, tonumber(found[2])) end
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

local processed = 0
for _, outcome in ipairs({ 'done', 'skipped', 'superseded', 'cancelled', 'dead' }) do
  processed = processed + tonumber(call('HGET', day, outcome) or 0)
end
local expired = call('ZCOUNT', LEASES, '-inf', upto)
local counts = {
  call('ZCARD', state_key('waiting')) + expired,
  call('ZCARD', LEASES) - expired,
  call('ZCOUNT', state_key('dead'), '(' .. text(now - RETENTION), '+inf'),
  processed,
  now - oldest,
  call('ZCOUNT', PARKED, '(' .. text(now - RETENTION), '+inf'),
  call('ZCARD', ASIDE),
}
for i, count in ipairs(counts) do counts[i] = text(count) end
return counts
