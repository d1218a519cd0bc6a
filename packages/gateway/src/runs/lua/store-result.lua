-- Keeps the one result of a run.
-- KEYS: run hash, newest launch of the task
-- ARGV: launch, result (JSON), 1 when the deadline has passed
-- Reply: stored | same | conflict | unknown | revoked | superseded | late
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 'unknown' end
if redis.call('HEXISTS', KEYS[1], 'revoked') == 1 then return 'revoked' end
local newest = redis.call('GET', KEYS[2])
if newest and tonumber(newest) > tonumber(ARGV[1]) then return 'superseded' end
local kept = redis.call('HGET', KEYS[1], 'result')
if kept then return kept == ARGV[2] and 'same' or 'conflict' end
if ARGV[3] == '1' then return 'late' end
redis.call('HSET', KEYS[1], 'result', ARGV[2])
return 'stored'
