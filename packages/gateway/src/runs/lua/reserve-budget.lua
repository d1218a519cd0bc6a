-- Takes the most a call may use out of the budgets of its run and its day. Sums stay under 2^53, so Lua counts exactly.
-- KEYS: run hash, day hash
-- ARGV: reservation id, nano USD (empty: no known price), tokens, limits: run nano USD, run tokens, day nano USD,
--       day tokens, seconds to keep the day
-- Reply: reserved | run usd | run tokens | day usd | day tokens
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 'run tokens' end
local field = 'reserved:' .. ARGV[1]
if redis.call('HEXISTS', KEYS[1], field) == 1 then return 'reserved' end
local function fits(key, name, amount, limit)
  return tonumber(redis.call('HGET', key, name) or '0') + tonumber(amount) <= tonumber(limit)
end
local isPriced = ARGV[2] ~= ''
local nano = isPriced and ARGV[2] or '0'
if isPriced and not fits(KEYS[1], 'spentNanoUsd', nano, ARGV[4]) then return 'run usd' end
if not fits(KEYS[1], 'spentTokens', ARGV[3], ARGV[5]) then return 'run tokens' end
if isPriced and not fits(KEYS[2], 'spentNanoUsd', nano, ARGV[6]) then return 'day usd' end
if not fits(KEYS[2], 'spentTokens', ARGV[3], ARGV[7]) then return 'day tokens' end
redis.call('HSET', KEYS[1], field, '1')
for _, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'spentNanoUsd', nano)
  redis.call('HINCRBY', key, 'spentTokens', ARGV[3])
end
redis.call('EXPIRE', KEYS[2], ARGV[8])
return 'reserved'
