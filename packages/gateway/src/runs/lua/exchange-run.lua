-- Gives a run to the first pod that asks; the same pod may ask again as long as no token of its was used.
-- KEYS: run hash, newest launch of the task
-- ARGV: run id, launch, uid of the pod, token hash, 1 when the deadline has passed, seconds to keep, prefix of token keys,
--       deadline if this is the first exchange
-- Reply: exchanged | other-pod | token-used | unknown | granted | revoked | superseded | late
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 'unknown' end
if redis.call('HEXISTS', KEYS[1], 'revoked') == 1 then return 'revoked' end
local newest = redis.call('GET', KEYS[2])
if newest and tonumber(newest) > tonumber(ARGV[2]) then return 'superseded' end
if redis.call('HEXISTS', KEYS[1], 'toExchange') == 0 then return 'granted' end
local podUid = redis.call('HGET', KEYS[1], 'podUid')
if podUid and podUid ~= ARGV[3] then return 'other-pod' end
if redis.call('HEXISTS', KEYS[1], 'tokenUsed') == 1 then return 'token-used' end
if ARGV[5] == '1' then return 'late' end
local old = redis.call('HGET', KEYS[1], 'tokenHash')
if old then redis.call('DEL', ARGV[7] .. old) end
redis.call('HSET', KEYS[1], 'podUid', ARGV[3], 'tokenHash', ARGV[4])
redis.call('HSETNX', KEYS[1], 'deadlineAtMs', ARGV[8])
redis.call('SET', ARGV[7] .. ARGV[4], ARGV[1], 'EX', ARGV[6])
return 'exchanged'
