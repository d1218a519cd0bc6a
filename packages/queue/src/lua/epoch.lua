-- Says in which epoch the store is. A new one begins when its memory may have gone: the number is gone, or another process
-- holds it than the one that wrote it (a restart, or a replica that took over and may lag behind).
-- ARGV  4 run id of the store's process, or '': unknown  5 epoch of a full sweep that has ended, or ''
--       6 newest epoch that the caller knows of, or 0
-- reply {epoch, '1': a full sweep is due}
-- Its writes begin with one that frees memory: a scheduler that comes to a full store must be able to work it off.
local BEGINNING = 1767225600000
local now = now_ms()
local found = fields_of(CLOCK, 'epoch', 'run', 'swept')
local epoch = number(found[1]) or 0
if epoch == 0 or (ARGV[4] ~= '' and found[2] ~= ARGV[4]) then
  -- A store that lost its number within a second of getting it would else give the same one again.
  epoch = math.max(epoch + 1, tonumber(ARGV[6]) + 1, math.floor((now - BEGINNING) / 1000))
  redis.call('HDEL', CLOCK, 'swept-before')
  redis.call('HSET', CLOCK, 'v', '1', 'epoch', text(epoch), 'run', ARGV[4] ~= '' and ARGV[4] or found[2] or '')
end
local swept = found[3]
if ARGV[5] == text(epoch) and swept ~= ARGV[5] then
  swept = ARGV[5]
  redis.call('HDEL', CLOCK, 'swept-before')
  redis.call('HSET', CLOCK, 'swept', swept)
end
return { text(epoch), swept == text(epoch) and '' or '1' }
