-- Sets a task aside that was leased and then could not be read outside; who takes it back looks again.
-- ARGV  4 task id  5 lease  6 '1': it had waited, and does again, for nothing of it has begun
-- reply 1 parked | 0 somebody else's
local KEY, ID = KEYS[2], ARGV[4]
local now = now_ms()
local ok, task = pcall(load_sound, KEY, now)
if ok and not is_held(task, ARGV[5]) then return 0 end
expect('zset', PARKED)
park(ID, now)
if ok and ARGV[6] == '1' then
  local change = { state = 'waiting', updated = now, wReady = now, owner = '' }
  if not task.wTrigger then
    for _, name in ipairs(PAYLOAD) do change['w' .. name] = task['c' .. name] or '' end
  end
  write(KEY, task, change)
end
wake()
return 1
