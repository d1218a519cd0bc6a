-- Gives projects shares, or takes them away.
-- ARGV  4.. project, share or ''; in turn, ordered by project
-- reply 'OK'
expect('hash', SHARES)
expect_entry()
for i = 4, #ARGV, 2 do
  local project, share = ARGV[i], ARGV[i + 1]
  if share == '' then
    call('HDEL', SHARES, project)
  else
    call('HSET', SHARES, project, share)
    call('ZADD', PROJECTS, 0, project)
  end
end
-- One under whose keys stands something else stops no other.
for i = 4, #ARGV, 2 do
  afterwards(enter, ARGV[i])
  afterwards(rest, ARGV[i])
end
wake()
return 'OK'
