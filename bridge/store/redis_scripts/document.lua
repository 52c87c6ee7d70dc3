-- The line of history that holds the first document of the step ARGV[2] of the call ARGV[1].
local key = KEYS[1] .. ':h:' .. ARGV[1]
local seq = redis.call('HGET', key, 's' .. ARGV[2])
return seq and redis.call('HGET', key, seq)
