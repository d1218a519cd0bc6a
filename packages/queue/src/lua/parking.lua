-- What cannot be read is set aside for a person, and taken back once it can be; what stands nowhere gets its place again.
--
-- parked  zset of tasks whose record is gone, damaged, or of another version; score = since when. They stay until an event,
--         the audit or a person takes them back.
local WAITING_OR_RUNNING = { 'waiting', 'leased', 'running', 'publishing' }

-- Who holds a task that stands in no list of leases has so long to extend it, before it is taken over.
local GRACE_MS = 60000

-- Whatever stands under the other keys, the task does not come up again. Its slot goes to the next.
local function park(id, now)
  local project = project_of(id)
  if project then
    pcall_redis('ZREM', LEASES .. ':' .. project, id)
    pcall_redis('ZREM', LEASES .. ':' .. forge_of(project), id)
    pcall_redis('ZREM', ready_key(project), id)
  end
  pcall_redis('ZREM', LEASES, id)
  if pcall_redis('ZREM', DUE, id) == 1 and project then count_delayed(project, -1) end
  for _, state in ipairs(WAITING_OR_RUNNING) do pcall_redis('ZREM', state_key(state), id) end
  call('ZADD', PARKED, 'NX', text(now), id)
  if project then afterwards(go_on, project) end
end

-- One that somebody should hold, and nobody does: its lease has run out, or does soon.
local function is_abandoned(id, task)
  return RUNNING[task.state] and not call('ZSCORE', LEASES, id)
end
-- Its lists must have been checked (`expect_leases`), and be written by `flush`.
local function abandon(id, project, at)
  hold(id, project, text(at))
end
