-- Replaces the shares of all projects.
-- ARGV  4.. project, share; in turn, ordered by project
-- reply 'OK'
expect('hash', SHARES)
expect_entry()
local changed, seen = {}, {}
for _, project in ipairs(call('HKEYS', SHARES)) do
  changed[#changed + 1], seen[project] = project, true
end
call('DEL', SHARES)
for i = 4, #ARGV, 2 do
  call('HSET', SHARES, ARGV[i], ARGV[i + 1])
  call('ZADD', PROJECTS, 0, ARGV[i])
  if not seen[ARGV[i]] then changed[#changed + 1] = ARGV[i] end
end
table.sort(changed)
-- One under whose keys stands something else stops no other.
for _, project in ipairs(changed) do
  afterwards(enter, project)
  afterwards(rest, project)
end
wake()
return 'OK'
