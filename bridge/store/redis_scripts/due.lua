-- Rows of the outbox due by ARGV[1], earliest first, then by key, up to ARGV[2]; those of the lanes
-- from ARGV[5] on are left out. With ARGV[3] (a time) they are claimed: nobody is given them before
-- then; ARGV[4] is the same time as it stands in a row. Gives keys and rows in turn.
local p = KEYS[1] .. ':'
local now, limit, untl, packed = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local full = {}
for index = 5, #ARGV do
  full[ARGV[index]] = true
end

local function before(a, b)
  -- Lua compares strings as the server's locale does; the order here is that of the bytes.
  for index = 1, math.min(#a, #b) do
    local x, y = string.byte(a, index), string.byte(b, index)
    if x ~= y then
      return x < y
    end
  end
  return #a < #b
end

local found = {}
for _, lane in ipairs(redis.call('SMEMBERS', p .. 'lanes')) do
  if not full[lane] then
    local rows = redis.call(
      'ZRANGEBYSCORE', p .. 'due:' .. lane, '-inf', now, 'WITHSCORES', 'LIMIT', 0, limit)
    for index = 1, #rows, 2 do
      found[#found + 1] = {rows[index], tonumber(rows[index + 1]), lane}
    end
  end
end
table.sort(found, function(a, b)
  if a[2] ~= b[2] then
    return a[2] < b[2]
  end
  return before(a[1], b[1])
end)

local answer = {}
for index = 1, math.min(limit, #found) do
  local key, lane = found[index][1], found[index][3]
  local row = redis.call('HGET', p .. 'out', key)
  if untl ~= '' then
    row = packed .. string.sub(row, 9)
    redis.call('HSET', p .. 'out', key, row)
    redis.call('ZADD', p .. 'due:' .. lane, untl, key)
  end
  answer[#answer + 1] = key
  answer[#answer + 1] = row
end
return answer
