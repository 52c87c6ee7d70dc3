-- Take part: the secret of the deployment is ARGV[1] unless it has one, and callids go on behind
-- ARGV[2]. So a server that lost its data is given back what the bridges still know.
local p = KEYS[1] .. ':'
redis.call('SETNX', p .. 'secret', ARGV[1])
if tonumber(redis.call('GET', p .. 'callid') or '0') < tonumber(ARGV[2]) then
  redis.call('SET', p .. 'callid', ARGV[2])
end
return redis.call('GET', p .. 'secret')
