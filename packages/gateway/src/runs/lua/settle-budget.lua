-- Replaces a reservation by what its call came to. One that is unknown or settled changes nothing.
-- KEYS: run hash, day hash
-- ARGV: reservation id, change of spent nano USD, change of spent tokens, calls (0: nothing was answered),
--       calls without a price, nano USD, input, output, cache read, cache write
-- Reply: 1 settled, 0 nothing changed
if redis.call('HDEL', KEYS[1], 'reserved:' .. ARGV[1]) == 0 then return 0 end
local names = { 'spentNanoUsd', 'spentTokens', 'calls', 'unpriced', 'nanoUsd', 'input', 'output', 'cacheRead', 'cacheWrite' }
for _, key in ipairs(KEYS) do
  for i, name in ipairs(names) do redis.call('HINCRBY', key, name, ARGV[i + 1]) end
end
return 1
