-- Ends tasks and writes the ledger; several at once. What came in meanwhile waits from now on.
-- ARGV  4 how many, then each end as texts that end with a zero: task id, lease, outcome, why or '', what the history says,
--       why it ends if it was cancelled instead or '', '1': it ended by a fault, and failures, infra failures, code, message
-- reply of each 'lost' | 'ended' | 'requeued' | 'cancelled'
local now = now_ms()
local NOW = text(now)

local function ending_of(packed)
  local id, lease, outcome, why, detail, cancelled, is_fault, failures, infra, code, message =
    struct.unpack('sssssssssss', packed)
  local ending = {
    id = id, key = ROOT .. 'task:' .. id, lease = lease, outcome = outcome, why = why, detail = detail,
    cancelled = cancelled, is_fault = is_fault == '1',
  }
  if ending.is_fault then ending.failures, ending.infra, ending.code, ending.message = failures, infra, code, message end
  return ending
end

local places_checked = {}
local function expect_places_of(forge, from, outcome)
  local name = forge .. from .. outcome
  if places_checked[name] then return end
  expect('zset', LEASES, LEASES .. ':' .. forge, turns_key(forge), state_key(from), state_key(outcome))
  places_checked[name] = true
end

local counts = {}
-- The usual end: nothing more to do, and no fault.
local function end_for_good(project, task, ending)
  local id, outcome, from = ending.id, ending.outcome, task.state
  expect_places_of(forge_of(project), from, outcome)
  local known = fields_of(project_key(project), 'turn', 'finish', 'delayed')
  let_go(id, project)
  write_ending(ending.key, task, NOW, ending, false)
  index(id, from, outcome, NOW)
  counts[outcome] = (counts[outcome] or 0) + 1
  trim(outcome, now)
  if known[1] then suppose(project, known[1]) else afterwards(go_on, project, known) end
end

local function one(ending)
  local task = load(ending.key, now)
  if not is_held(task, ending.lease) then return 'lost' end

  local project = project_of(ending.id)
  local cancelled = ending.cancelled ~= '' and task.interrupt == 'cancelled'
  if cancelled then ending.outcome, ending.why, ending.detail = 'cancelled', ending.cancelled, ending.cancelled end
  if not ending.is_fault and not task.wTrigger then
    end_for_good(project, task, ending)
    return cancelled and 'cancelled' or 'ended'
  end
  expect_sound(task, ending.key)
  expect_leases(project)
  expect_ending(project, task.state, ending.outcome)
  local requeued = settle(ending.key, ending.id, project, task, now, ending)
  if cancelled then return 'cancelled' end
  return requeued and 'requeued' or 'ended'
end

local endings, keys = {}, {}
for i = 1, tonumber(ARGV[4]) do
  endings[i] = ending_of(ARGV[4 + i])
  keys[i] = endings[i].key
end
look_up(keys)

local replies, some = {}, false
for i, ending in ipairs(endings) do
  local ok, reply = pcall(one, ending)
  some = some or (ok and reply ~= 'lost')
  replies[i] = ok and reply or failure_of(reply)
end
flush()
for outcome, count in pairs(counts) do count_ended(outcome, now, count) end
confirm_turns(go_on)
if some then wake() end
return replies
