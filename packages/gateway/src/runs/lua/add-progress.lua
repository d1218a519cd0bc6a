-- Appends events, each a line of: sequence number, time, usage, event. The usage is what the run had used by now. Then
-- forgets the oldest of this run, and what the runs told that were silent longest, until all is within its limits.
-- KEYS: run hash, progress list, runs that told something (by time of the last), bytes kept of each run and in all
-- ARGV: run id, time (ms), seconds to keep, prefix of progress lists, limits: entries and bytes of a run, runs, bytes,
--       event (JSON) ...
-- Reply: number of the last entry, 0 when the run is not known
if redis.call('HEXISTS', KEYS[1], 'record') == 0 then return 0 end
local runId, now, keep, prefix = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local maxEntries, maxBytes, maxRuns, maxTotal = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local names = { 'calls', 'unpriced', 'nanoUsd', 'input', 'output', 'cacheRead', 'cacheWrite', 'reused' }
local counts = redis.call('HMGET', KEYS[1], unpack(names))
for i = 1, #names do counts[i] = counts[i] or '0' end
local usage = table.concat(counts, ' ')

local before = tonumber(redis.call('HGET', KEYS[4], runId) or '0')
local size, length, seq = before, redis.call('LLEN', KEYS[2]), 0
for i = 9, #ARGV do
  seq = redis.call('HINCRBY', KEYS[1], 'seq', '1')
  length = redis.call('RPUSH', KEYS[2], seq .. '\n' .. now .. '\n' .. usage .. '\n' .. ARGV[i])
  size = size + #ARGV[i]
end
while length > maxEntries or (size > maxBytes and length > 1) do
  local line = redis.call('LPOP', KEYS[2])
  size = math.max(size - #string.match(line, '^[^\n]*\n[^\n]*\n[^\n]*\n(.*)$'), 0)
  length = length - 1
end
redis.call('EXPIRE', KEYS[2], keep)
redis.call('ZADD', KEYS[3], now, runId)
redis.call('HSET', KEYS[4], runId, string.format('%d', size))
local total = redis.call('HINCRBY', KEYS[4], 'total', string.format('%d', size - before))

for _ = 1, 100 do
  local oldest = redis.call('ZRANGE', KEYS[3], 0, 0, 'WITHSCORES')
  local isOver = redis.call('ZCARD', KEYS[3]) > maxRuns or total > maxTotal or tonumber(oldest[2]) < tonumber(now) - keep * 1000
  if oldest[1] == runId or not isOver then break end
  redis.call('DEL', prefix .. oldest[1])
  redis.call('ZREM', KEYS[3], oldest[1])
  total = redis.call('HINCRBY', KEYS[4], 'total', '-' .. (redis.call('HGET', KEYS[4], oldest[1]) or '0'))
  redis.call('HDEL', KEYS[4], oldest[1])
end
redis.call('EXPIRE', KEYS[3], keep)
redis.call('EXPIRE', KEYS[4], keep)
return seq
