-- How tasks end.
local function day_key(now) return ROOT .. 'day:' .. text(math.floor(now / 86400000)) end

local function expect_ending(project, from, outcome)
  expect('zset', state_key(from), state_key('waiting'), state_key(outcome))
  expect_places(project)
end

-- Records expire by themselves; what names them goes in time.
local trimmed = {}
local function trim(outcome, now)
  if trimmed[outcome] then return end
  trimmed[outcome] = true
  local gone = call('ZRANGEBYSCORE', state_key(outcome), '-inf', text(now - RETENTION), 'LIMIT', 0, TRIM_BATCH)
  if gone[1] then call('ZREM', state_key(outcome), unpack(gone)) end
end

-- For people: one that is no number any more begins anew, and whatever else stands there stops no end.
local days = {}
local function count_ended(outcome, now, count)
  local day = day_key(now)
  if type(pcall_redis('HINCRBY', day, outcome, count)) == 'table' then pcall_redis('HSET', day, outcome, count) end
  if days[day] then return end
  days[day] = true
  if type(pcall_redis('HSET', day, 'v', '1')) ~= 'table' then call('PEXPIRE', day, ARGV[3]) end
end

-- A slot of the project is free: it wants the next turn, or has nothing left.
local function go_on(project, known)
  known = known or call('HMGET', project_key(project), 'turn', 'finish', 'delayed')
  if call('EXISTS', ready_key(project)) == 1 then return enter(project, known, true) end
  if (number(known[3]) or 0) > 0 or call('EXISTS', LEASES .. ':' .. project) == 1 then return end
  call('ZADD', IDLE, text(number(known[2]) or 0), project)
end

-- The record of what ended, and perhaps waits again.
local function write_ending(key, task, at, ending, requeued)
  local outcome, change = ending.outcome, {}
  note(task, at, outcome, task.owner or '', ending.detail)
  if outcome == 'done' and task.cHead then task.doneHead = task.cHead end
  if ending.code then
    change.cFailures, change.cInfra = ending.failures, ending.infra
    change.errorCode, change.errorMessage = ending.code, ending.message
  elseif requeued then
    change.errorCode, change.errorMessage = '', ''
  end
  -- What was superseded did not answer the person who asked: the order goes on with the newer head.
  if requeued and outcome == 'superseded' and tonumber(task.cPriority) > tonumber(task.wPriority) then
    change.wTrigger, change.wPriority, change.wCommand = task.cTrigger, task.cPriority, task.cCommand or ''
  end
  task.state, task.outcome, task.endedAt, task.updated = requeued and 'waiting' or outcome, outcome, at, at
  task.why, task.owner, task.interrupt = ending.why ~= '' and ending.why or nil, nil, nil
  write(key, task, change, not requeued and ARGV[3])
end

-- Ends a held task. What came in meanwhile waits from now on. `ending`: outcome, why, detail of the event, and perhaps
-- failures, infra, code and message of the fault it ended by.
local function settle(key, id, project, task, now, ending)
  local from, outcome = task.state, ending.outcome
  local requeued = task.wTrigger ~= nil
  let_go(id, project)
  write_ending(key, task, text(now), ending, requeued)
  index(id, from, task.state, text(now))
  count_ended(outcome, now, 1)
  if requeued then
    place(id, project, task, now, false)
  else
    trim(outcome, now)
  end
  afterwards(go_on, project)
  return requeued
end
