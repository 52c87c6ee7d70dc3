-- A page of the records of the kind ARGV[2] from the index ARGV[1], up to ARGV[3] of them, the other
-- way round when ARGV[4] is 1; behind (ARGV[5], ARGV[6]) when they are given. Keys and records in turn.
local p = KEYS[1] .. ':'
local index, limit, newest_first = p .. ARGV[1], tonumber(ARGV[3]), ARGV[4] == '1'
if limit < 1 then
  return {}
end

local function compare(a, b)
  -- Lua compares strings as the server's locale does; the index is in the order of the bytes.
  for place = 1, math.min(#a, #b) do
    local x, y = string.byte(a, place), string.byte(b, place)
    if x ~= y then
      return x - y
    end
  end
  return #a - #b
end

-- Where the page begins, or, the other way round, where it ends.
local place = newest_first and redis.call('ZCARD', index) or 0
if ARGV[5] then
  local low = redis.call('ZCOUNT', index, '-inf', '(' .. ARGV[5])
  local high = low + redis.call('ZCOUNT', index, ARGV[5], ARGV[5])
  while low < high do
    local middle = math.floor((low + high) / 2)
    local order = compare(redis.call('ZRANGE', index, middle, middle)[1], ARGV[6])
    if order < 0 or (order == 0 and not newest_first) then
      low = middle + 1
    else
      high = middle
    end
  end
  place = low
end

local keys = {}
if not newest_first then
  keys = redis.call('ZRANGE', index, place, place + limit - 1)
elseif place > 0 then
  local page = redis.call('ZRANGE', index, math.max(0, place - limit), place - 1)
  for back = #page, 1, -1 do
    keys[#keys + 1] = page[back]
  end
end
local answer = {}
for _, key in ipairs(keys) do
  answer[#answer + 1] = key
  answer[#answer + 1] = redis.call('HGET', p .. 'rec:' .. ARGV[2], key)
end
return answer
