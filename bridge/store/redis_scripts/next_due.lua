-- The earliest time after ARGV[1] at which a row of the outbox is due.
local p = KEYS[1] .. ':'
local earliest
for _, lane in ipairs(redis.call('SMEMBERS', p .. 'lanes')) do
  local first = redis.call(
    'ZRANGEBYSCORE', p .. 'due:' .. lane, '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if first[2] and (not earliest or tonumber(first[2]) < tonumber(earliest)) then
    earliest = first[2]
  end
end
return earliest
