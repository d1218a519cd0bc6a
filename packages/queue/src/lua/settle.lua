-- Ends a task and writes the ledger. What came in meanwhile waits from now on.
-- ARGV  4 task id  5 lease  6 outcome  7 why, or ''  8 what the history says
--       9 why it ends if it was cancelled instead, or ''
--       10 '1': it ended by a fault, and  11 failures  12 infra failures  13 code  14 message
-- reply 'lost' | 'ended' | 'requeued' | 'cancelled'
local KEY, ID = KEYS[2], ARGV[4]
local now = now_ms()
local task = load(KEY, now)
if not is_held(task, ARGV[5]) then return 'lost' end

local project = project_of(ID)
local ending = { outcome = ARGV[6], why = ARGV[7], detail = ARGV[8] }
local cancelled = ARGV[9] ~= '' and task.interrupt == 'cancelled'
if cancelled then ending.outcome, ending.why, ending.detail = 'cancelled', ARGV[9], ARGV[9] end
if ARGV[10] == '1' then ending.failures, ending.infra, ending.code, ending.message = ARGV[11], ARGV[12], ARGV[13], ARGV[14] end
expect_leases(project)
expect_ending(project, task.state, ending.outcome, now)
local requeued = settle(KEY, ID, project, task, now, ending)
if cancelled then return 'cancelled' end
return requeued and 'requeued' or 'ended'
