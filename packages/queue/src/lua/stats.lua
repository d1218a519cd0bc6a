-- Counts. A task whose lease ran out waits for a new holder, so it counts as waiting.
-- KEYS  none of its own
-- ARGV  4 prefix of day keys
-- reply {waiting, running, dead, processed today, age of the oldest ready in ms}, as text
local now = now_ms()
local upto = string.format('%.0f', now)
local day = ARGV[4] .. string.format('%.0f', math.floor(now / 86400000))
expect('hash', day)
expect('zset', READY, DELAYED, LEASES, INDEX.dead)

local oldest = now
local function older(found)
  if found[2] then oldest = math.min(oldest, tonumber(found[2])) end
end
older(redis.call('ZRANGEBYSCORE', DELAYED, '-inf', upto, 'WITHSCORES', 'LIMIT', 0, 1))
older(redis.call('ZRANGEBYSCORE', LEASES, '-inf', upto, 'WITHSCORES', 'LIMIT', 0, 1))
-- The first of each priority: at most as many steps as there are priorities in use.
local bucket = 0
while bucket <= 99 do
  local first = redis.call('ZRANGEBYSCORE', READY, string.format('%.0f', bucket * 1e13), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if not first[2] then break end
  bucket = math.floor(first[2] / 1e13)
  oldest = math.min(oldest, first[2] - bucket * 1e13)
  bucket = bucket + 1
end

local processed = 0
for _, outcome in ipairs({ 'done', 'skipped', 'superseded', 'cancelled', 'dead' }) do
  processed = processed + tonumber(redis.call('HGET', day, outcome) or 0)
end
local expired = redis.call('ZCOUNT', LEASES, '-inf', upto)
local counts = {
  redis.call('ZCARD', READY) + redis.call('ZCARD', DELAYED) + expired,
  redis.call('ZCARD', LEASES) - expired,
  redis.call('ZCOUNT', INDEX.dead, '(' .. string.format('%.0f', now - RETENTION), '+inf'),
  processed,
  now - oldest,
}
for i, count in ipairs(counts) do counts[i] = string.format('%.0f', count) end
return counts
