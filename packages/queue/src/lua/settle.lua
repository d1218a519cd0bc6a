-- Ends a task and writes the ledger. What came in meanwhile waits from now on.
-- KEYS  14 task
-- ARGV  4 task id  5 lease  6 outcome  7 why, or ''  8 prefix of day keys
--       9 '1': it ended by a fault, and  10 failures  11 infra failures  12 code  13 message
-- reply 'lost' | 'ended' | 'requeued'
local KEY, ID, OUTCOME = KEYS[14], ARGV[4], ARGV[6]
local now = now_ms()
local day = ARGV[8] .. string.format('%.0f', math.floor(now / 86400000))
local task = load(KEY, now)
expect('hash', day)
expect('zset', READY, DELAYED, LEASES, INDEX.waiting, INDEX.leased, INDEX.running, INDEX.publishing, INDEX[OUTCOME])
if not is_held(task, ARGV[5]) then return 'lost' end

local from = task.state
local requeued = task.wTrigger ~= nil
local change = { outcome = OUTCOME, why = ARGV[7], endedAt = now, updated = now, owner = '', interrupt = '' }
change.state = requeued and 'waiting' or OUTCOME
if ARGV[9] == '1' then
  change.cFailures, change.cInfra, change.errorCode, change.errorMessage = ARGV[10], ARGV[11], ARGV[12], ARGV[13]
elseif requeued then
  change.errorCode, change.errorMessage = '', ''
end
-- What was superseded did not answer the person who asked: the order goes on with the newer head.
if requeued and OUTCOME == 'superseded' and tonumber(task.cPriority) > tonumber(task.wPriority) then
  change.wTrigger, change.wPriority, change.wCommand = task.cTrigger, task.cPriority, task.cCommand
end

redis.call('ZREM', LEASES, ID)
write(KEY, task, change)
index(ID, from, task.state, now)
if requeued then
  place(ID, task, now)
else
  redis.call('PEXPIRE', KEY, ARGV[3])
  local gone = redis.call('ZRANGEBYSCORE', INDEX[OUTCOME], '-inf', string.format('%.0f', now - RETENTION), 'LIMIT', 0, TRIM_BATCH)
  if #gone > 0 then redis.call('ZREM', INDEX[OUTCOME], unpack(gone)) end
end
redis.call('HSET', day, 'v', '1')
redis.call('HINCRBY', day, OUTCOME, 1)
redis.call('PEXPIRE', day, ARGV[3])
wake()
return requeued and 'requeued' or 'ended'
