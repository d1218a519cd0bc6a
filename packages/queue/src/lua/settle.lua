-- Ends tasks and writes the ledger; several at once. What came in meanwhile waits from now on.
-- ARGV  4 how many, then of each:  1 task id  2 lease  3 outcome  4 why, or ''  5 what the history says
--       6 why it ends if it was cancelled instead, or ''
--       7 '1': it ended by a fault, and  8 failures  9 infra failures  10 code  11 message
-- reply of each 'lost' | 'ended' | 'requeued' | 'cancelled'
local WIDTH = 11
local now = now_ms()

-- What the usual end needs; all, where more came in, it ended by a fault, or the hash is an older version's.
local function read(key, is_fault)
  local found = fields_of(key, 'v', 'state', 'lease', 'events', 'owner', 'interrupt', 'cHead', 'wTrigger')
  if is_fault or found[1] ~= '2' or found[8] then return load(key, now) end
  return {
    v = '2', state = found[2], lease = found[3], events = found[4] or nil, owner = found[5] or nil,
    interrupt = found[6] or nil, cHead = found[7] or nil,
  }
end

local function one(at)
  local id = ARGV[at + 1]
  local key = ROOT .. 'task:' .. id
  local task = read(key, ARGV[at + 7] == '1')
  if not is_held(task, ARGV[at + 2]) then return 'lost' end

  local project = project_of(id)
  local ending = { outcome = ARGV[at + 3], why = ARGV[at + 4], detail = ARGV[at + 5] }
  local cancelled = ARGV[at + 6] ~= '' and task.interrupt == 'cancelled'
  if cancelled then ending.outcome, ending.why, ending.detail = 'cancelled', ARGV[at + 6], ARGV[at + 6] end
  if ARGV[at + 7] == '1' then
    ending.failures, ending.infra, ending.code, ending.message = ARGV[at + 8], ARGV[at + 9], ARGV[at + 10], ARGV[at + 11]
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
flush()
if some then wake() end
return replies
