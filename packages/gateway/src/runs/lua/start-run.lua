-- Begins a run, or begins the same one again with a new token.
-- KEYS: run hash, newest launch of the task, new token
-- ARGV: run id, launch, record (JSON), token hash, seconds to keep, prefix of token keys
-- Reply: started | superseded | revoked
local newest = redis.call('GET', KEYS[2])
if newest and tonumber(newest) > tonumber(ARGV[2]) then return 'superseded' end
if redis.call('HEXISTS', KEYS[1], 'revoked') == 1 then return 'revoked' end
local old = redis.call('HGET', KEYS[1], 'tokenHash')
if old and old ~= ARGV[4] then redis.call('DEL', ARGV[6] .. old) end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[5])
redis.call('HSET', KEYS[1], 'record', ARGV[3], 'tokenHash', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('SET', KEYS[3], ARGV[1], 'EX', ARGV[5])
return 'started'
