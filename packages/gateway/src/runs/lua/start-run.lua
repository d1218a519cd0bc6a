-- Begins a run, or begins the same one again: with a new token, or to be exchanged for one, which its pod then keeps.
-- KEYS: run hash, newest launch of the task
-- ARGV: run id, launch, record (JSON), token hash (empty: its pod will exchange), seconds to keep, prefix of token keys
-- Reply: started | superseded | revoked
local newest = redis.call('GET', KEYS[2])
if newest and tonumber(newest) > tonumber(ARGV[2]) then return 'superseded' end
if redis.call('HEXISTS', KEYS[1], 'revoked') == 1 then return 'revoked' end
local isKept = ARGV[4] == '' and redis.call('HEXISTS', KEYS[1], 'toExchange') == 1
local old = redis.call('HGET', KEYS[1], 'tokenHash')
if old and old ~= ARGV[4] and not isKept then
  redis.call('DEL', ARGV[6] .. old)
  redis.call('HDEL', KEYS[1], 'tokenHash')
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[5])
redis.call('HSET', KEYS[1], 'record', ARGV[3])
if ARGV[4] == '' then
  redis.call('HSET', KEYS[1], 'toExchange', '1')
else
  redis.call('HDEL', KEYS[1], 'toExchange', 'podUid', 'deadlineAtMs', 'tokenUsed')
  redis.call('HSET', KEYS[1], 'tokenHash', ARGV[4])
  redis.call('SET', ARGV[6] .. ARGV[4], ARGV[1], 'EX', ARGV[5])
end
redis.call('EXPIRE', KEYS[1], ARGV[5])
return 'started'
