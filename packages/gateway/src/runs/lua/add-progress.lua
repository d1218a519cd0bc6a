-- Appends events, each a line of: sequence number, time, usage, event. The usage is what the run had used by now.
-- KEYS: run hash, progress list
-- ARGV: time (ms), entries kept, seconds to keep, event (JSON) ...
-- Reply: number of the last entry, 0 when the run is not known
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 0 end
local names = { 'calls', 'unpriced', 'nanoUsd', 'input', 'output', 'cacheRead', 'cacheWrite', 'reused' }
local counts = redis.call('HMGET', KEYS[1], unpack(names))
for i = 1, #names do counts[i] = counts[i] or '0' end
local usage = table.concat(counts, ' ')
local seq = 0
for i = 4, #ARGV do
  seq = redis.call('HINCRBY', KEYS[1], 'seq', '1')
  redis.call('RPUSH', KEYS[2], seq .. '\n' .. ARGV[1] .. '\n' .. usage .. '\n' .. ARGV[i])
end
redis.call('LTRIM', KEYS[2], '-' .. ARGV[2], '-1')
redis.call('EXPIRE', KEYS[2], ARGV[3])
return seq
