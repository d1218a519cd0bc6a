-- Ends tasks and writes the ledger; several at once. What came in meanwhile waits from now on.
-- ARGV  4 how many, then of each:  1 task id  2 lease  3 outcome  4 why, or ''  5 what the history says
--       6 why it ends if it was cancelled instead, or ''
--       7 '1': it ended by a fault, and  8 failures  9 infra failures  10 code  11 message
-- reply of each 'lost' | 'ended' | 'requeued' | 'cancelled'
local WIDTH = 11
local now = now_ms()
local NOW = text(now)

-- What the usual end needs; all, where more came in, it ended by a fault, or the hash is an older version's.
local function read(key, is_fault)
  local found = fields_of(key, 'v', 'state', 'lease', 'events', 'owner', 'interrupt', 'cHead', 'why', 'wTrigger')
  if is_fault or found[1] ~= '2' or found[9] then return load(key, now), false end
  return {
    state = found[2], lease = found[3], events = found[4] or nil, owner = found[5] or nil,
    interrupt = found[6] or nil, cHead = found[7] or nil, why = found[8] or nil,
  }, true
end

local counts = {}
-- The usual end: nothing more to do, and no fault.
local function end_for_good(key, id, project, task, ending)
  local outcome, count = ending.outcome, (task.events or 0) + 1
  local leases_of_forge = LEASES .. ':' .. (split(project))
  expect('hash', day_key(now))
  expect('zset', LEASES, leases_of_forge, turns_key((split(project))), state_key(task.state), state_key(outcome))
  local known = fields_of(project_key(project), 'turn', 'finish', 'delayed')
  -- The first write, which something else than a zset refuses.
  first_write('ZREM', LEASES .. ':' .. project, id)
  later(LEASES, id, false)
  later(leases_of_forge, id, false)
  local fields = {
    'v', '2', 'state', outcome, 'outcome', outcome, 'endedAt', NOW, 'updated', NOW, 'events', count,
    'e' .. (count % HISTORY), NOW .. '|' .. outcome .. '|' .. (task.owner or '') .. '|' .. ending.detail, 'owner', '',
  }
  local function add(name, value) fields[#fields + 1], fields[#fields + 2] = name, value end
  -- Emptied, not deleted: that would be another command.
  if task.interrupt then add('interrupt', '') end
  if ending.why ~= '' or task.why then add('why', ending.why) end
  if outcome == 'done' and task.cHead then add('doneHead', task.cHead) end
  call('HSET', key, unpack(fields))
  index(id, task.state, outcome, now)
  counts[outcome] = (counts[outcome] or 0) + 1
  keep_record(key, outcome, now)
  if known[1] then suppose(project, known[1]) else go_on(project, known) end
end

local function one(at)
  local id = ARGV[at + 1]
  local key = ROOT .. 'task:' .. id
  local task, is_usual = read(key, ARGV[at + 7] == '1')
  if not is_held(task, ARGV[at + 2]) then return 'lost' end

  local project = project_of(id)
  local ending = { outcome = ARGV[at + 3], why = ARGV[at + 4], detail = ARGV[at + 5] }
  local cancelled = ARGV[at + 6] ~= '' and task.interrupt == 'cancelled'
  if cancelled then ending.outcome, ending.why, ending.detail = 'cancelled', ARGV[at + 6], ARGV[at + 6] end
  if ARGV[at + 7] == '1' then
    ending.failures, ending.infra, ending.code, ending.message = ARGV[at + 8], ARGV[at + 9], ARGV[at + 10], ARGV[at + 11]
  end
  if is_usual then
    end_for_good(key, id, project, task, ending)
    return cancelled and 'cancelled' or 'ended'
  end
  expect_leases(project)
  expect_ending(project, task.state, ending.outcome, now)
  local requeued = settle(key, id, project, task, now, ending)
  if cancelled then return 'cancelled' end
  return requeued and 'requeued' or 'ended'
end

local replies, some = {}, false
for i = 1, tonumber(ARGV[4]) do
  local ok, reply = pcall(one, 4 + (i - 1) * WIDTH)
  some = some or (ok and reply ~= 'lost')
  replies[i] = ok and reply or failure_of(reply)
end
for outcome, count in pairs(counts) do count_ended(outcome, now, count) end
confirm_turns(go_on)
flush()
if some then wake() end
return replies
