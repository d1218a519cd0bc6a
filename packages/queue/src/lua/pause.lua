-- Begins or ends a pause.
-- ARGV  4 scope  5 project of the scope, or ''  6 '1': begins  7 who  8 why  9 how many such events are kept
-- reply 1: changed | 0: it was so before
local now = now_ms()
expect('hash', PAUSES)
local EVENTS = ROOT .. 'pause-events'
expect('list', EVENTS)
local project = ARGV[5]
if project ~= '' then expect_places(project) end
local function tell(what)
  call('LPUSH', EVENTS, text(now) .. '|' .. what .. '|' .. ARGV[7] .. '|' .. ARGV[4] .. '|' .. ARGV[8])
  call('LTRIM', EVENTS, 0, ARGV[9] - 1)
end
if ARGV[6] == '1' then
  if call('HSETNX', PAUSES, ARGV[4], text(now) .. '|' .. ARGV[7] .. '|' .. ARGV[8]) == 0 then return 0 end
  tell('paused')
  if project ~= '' then
    leave(project)
    call('ZADD', PROJECTS, 0, project)
  end
  return 1
end
if call('HDEL', PAUSES, ARGV[4]) == 0 then return 0 end
tell('resumed')
if project ~= '' then
  enter(project)
  rest(project)
end
wake()
return 1
