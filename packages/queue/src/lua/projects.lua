-- Pages through projects.
-- ARGV  4 the last project of the page before, or ''  5 how many to look at
-- reply {{project, path, waiting, running, share or '', paused '1' or ''}, …}, last looked at or ''
local now = now_ms()
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local found = call('ZRANGEBYLEX', PROJECTS, from, '+', 'LIMIT', 0, ARGV[5])
local all = has_pauses() and call('HEXISTS', PAUSES, 'all') == 1
local rows = {}
local function look_at(project)
  local known = call('HMGET', project_key(project), 'path', 'delayed')
  local waiting = call('ZCARD', ready_key(project)) + math.max(0, number(known[2]) or 0)
  local running = held(LEASES .. ':' .. project, now)
  local share = call('HGET', SHARES, project) or ''
  local own = is_project_paused(project)
  local forge = forge_of(project)
  local paused = own or all or (has_pauses() and call('HEXISTS', PAUSES, 'forge:' .. forge) == 1)
  if waiting + running > 0 or own or share ~= '' then
    rows[#rows + 1] = { project, known[1] or '', text(waiting), text(running), share, paused and '1' or '' }
  end
end
-- One that is set aside hides no other.
for _, project in ipairs(found) do pcall(look_at, project) end
return { rows, #found == tonumber(ARGV[5]) and found[#found] or '' }
