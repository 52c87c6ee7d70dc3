-- Delete up to ARGV[3] of what was over by (for calls: before) the time ARGV[2]; gives how many.
-- Any replica may do so at any time: each thing is deleted, and counted, once.
local p = KEYS[1] .. ':'
local call = redis.call
local what, limit = ARGV[1], tonumber(ARGV[3])

local function over(index, latest)
  local found = call('ZRANGEBYSCORE', p .. index, '-inf', latest, 'LIMIT', 0, limit)
  if #found > 0 then
    call('ZREM', p .. index, unpack(found))
  end
  return found
end

local function split(member)
  -- "<length>:<first><second>"
  local colon = string.find(member, ':', 1, true)
  local length = tonumber(string.sub(member, 1, colon - 1))
  return string.sub(member, colon + 1, colon + length), string.sub(member, colon + 1 + length)
end

local found
if what == 'media' then
  found = over('mx', ARGV[2])
  for _, name in ipairs(found) do
    call('DEL', p .. 'm:' .. name)
  end
elseif what == 'recordings' then
  found = over('ex', ARGV[2])
  for _, member in ipairs(found) do
    local name, app = split(member)
    call('HDEL', p .. 'r:' .. name, app)
  end
elseif what == 'records' then
  found = over('rx', ARGV[2])
  for _, member in ipairs(found) do
    local kind, key = split(member)
    local held = call('HGET', p .. 'rec:' .. kind, key)
    if held then
      local scope = struct.unpack('>I2', string.sub(held, 29, 30))
      call('HDEL', p .. 'rec:' .. kind, key)
      call('ZREM', p .. 'ri:' .. kind, key)
      call('ZREM', p .. 'rs:' .. #kind .. ':' .. kind .. ':' .. string.sub(held, 31, 30 + scope), key)
    end
  end
else
  found = over('ended', '(' .. ARGV[2])
  for _, id in ipairs(found) do
    local key = p .. 'c:' .. id
    local head = call('GETRANGE', key, 0, 7)
    if head ~= '' then
      local _, app, uuid = struct.unpack('>I4I2I2', head)
      if uuid > 0 then
        call('HDEL', p .. 'uuids', app .. ':' .. call('GETRANGE', key, 8, 7 + app + uuid))
      end
    end
    call('DEL', key, p .. 'h:' .. id)
  end
end
return #found
