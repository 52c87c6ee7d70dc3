-- One commit: check every version first, then write everything. Gives nothing when it was applied,
-- otherwise what stood in its way. ARGV is laid out in bridge/store/_redis_commit.py.
local p = KEYS[1] .. ':'
local call = redis.call
local at = 0
local function take()
  at = at + 1
  return ARGV[at]
end
local function count()
  return tonumber(take())
end

-- A commit whose answer was lost is sent again: its token says that it is there already.
local token = take()
local strict = take() == '1'

local write
if take() == '1' then
  write = {
    id = take(), expected = take(), base = count(), value = take(),
    uuid = take(), touched = take(), ended = take(),
  }
  write.key = p .. 'c:' .. write.id
  local steady = write.base > 0
    and call('GETRANGE', write.key, 0, #write.expected - 1) == write.expected
  if not steady then
    local head = call('GETRANGE', write.key, 0, 7)
    local version, app, uuid = 0, 0, 0
    if head ~= '' then
      version, app, uuid = struct.unpack('>I4I2I2', head)
    end
    local names = 8 + app + uuid
    if version ~= write.base then
      if version == write.base + 1
        and call('GETRANGE', write.key, names, names + 7) == token then
        return nil
      end
      return {'call', version}
    end
    if write.uuid ~= '' then
      local owner = call('HGET', p .. 'uuids', write.uuid)
      if owner and owner ~= write.id then
        return {'uuid', owner}
      end
    end
    if uuid > 0 then
      write.old_uuid = app .. ':' .. call('GETRANGE', write.key, 8, names - 1)
    end
    write.named = true
  end
end

local room
if take() == '1' then
  room = {key = take(), base = count(), value = take()}
  local held = call('HGET', p .. 'rooms', room.key)
  local version = held and struct.unpack('>I4', held) or 0
  if version ~= room.base then
    if version == room.base + 1 and string.sub(held, 5, 12) == token then
      return nil
    end
    return {'room', version}
  end
end

local records = {}
for index = 1, count() do
  local record = {
    kind = take(), key = take(), base = count(), value = take(),
    sort = take(), scope = take(), expires = take(),
  }
  record.held = call('HGET', p .. 'rec:' .. record.kind, record.key)
  local version = record.held and struct.unpack('>I4', record.held) or 0
  if version ~= record.base then
    if version == record.base + 1 and string.sub(record.held, 5, 12) == token then
      return nil
    end
    return {'record', version, index}
  end
  records[index] = record
end

local swaps = {}
for index = 1, count() do
  local swap = {key = take(), old = take(), new = take(), due = take()}
  swap.held = call('HGET', p .. 'out', swap.key)
  if strict and swap.held ~= swap.old and (swap.new == '' or swap.held ~= swap.new) then
    return {'swap', 0, index}
  end
  swaps[index] = swap
end

-- Nothing can refuse the commit from here on.

if write then
  call('SET', write.key, write.value)
  if write.named then
    if write.old_uuid and write.old_uuid ~= write.uuid then
      call('HDEL', p .. 'uuids', write.old_uuid)
    end
    if write.uuid ~= '' then
      call('HSET', p .. 'uuids', write.uuid, write.id)
    end
  end
  if write.ended == '' then
    call('ZADD', p .. 'live', write.touched, write.id)
    call('ZREM', p .. 'ended', write.id)
  else
    call('ZREM', p .. 'live', write.id)
    call('ZADD', p .. 'ended', write.ended, write.id)
  end
end

if room then
  if room.value == '' then
    call('HDEL', p .. 'rooms', room.key)
  else
    call('HSET', p .. 'rooms', room.key, room.value)
  end
end

for _, record in ipairs(records) do
  local all = p .. 'ri:' .. record.kind
  local some = p .. 'rs:' .. #record.kind .. ':' .. record.kind .. ':'
  local expiry = #record.kind .. ':' .. record.kind .. record.key
  if record.held then
    local scope = struct.unpack('>I2', string.sub(record.held, 29, 30))
    call('ZREM', some .. string.sub(record.held, 31, 30 + scope), record.key)
  end
  if record.value == '' then
    call('HDEL', p .. 'rec:' .. record.kind, record.key)
    call('ZREM', all, record.key)
  else
    call('HSET', p .. 'rec:' .. record.kind, record.key, record.value)
    call('ZADD', all, record.sort, record.key)
    call('ZADD', some .. record.scope, record.sort, record.key)
  end
  if record.value == '' or record.expires == '' then
    call('ZREM', p .. 'rx', expiry)
  else
    call('ZADD', p .. 'rx', record.expires, expiry)
  end
end

for _ = 1, count() do
  local key, seq, value, step = p .. 'h:' .. take(), take(), take(), take()
  call('HSET', key, seq, value)
  if step ~= '' then
    local first = call('HGET', key, 's' .. step)
    if not first or tonumber(seq) < tonumber(first) then
      call('HSET', key, 's' .. step, seq)
    end
  end
end

local function drop(key, row)
  local kind, lane = struct.unpack('>I2I2', string.sub(row, 9, 12))
  local name = string.sub(row, 13 + kind, 12 + kind + lane)
  call('HDEL', p .. 'out', key)
  call('HINCRBY', p .. 'kinds', string.sub(row, 13, 12 + kind), -1)
  call('ZREM', p .. 'due:' .. name, key)
  if call('EXISTS', p .. 'due:' .. name) == 0 then
    call('SREM', p .. 'lanes', name)
  end
end

local function put(key, row, due)
  local held = call('HGET', p .. 'out', key)
  if held then
    drop(key, held)
  end
  local kind, lane = struct.unpack('>I2I2', string.sub(row, 9, 12))
  local name = string.sub(row, 13 + kind, 12 + kind + lane)
  call('HSET', p .. 'out', key, row)
  call('HINCRBY', p .. 'kinds', string.sub(row, 13, 12 + kind), 1)
  call('ZADD', p .. 'due:' .. name, due, key)
  call('SADD', p .. 'lanes', name)
end

for _, swap in ipairs(swaps) do
  -- Looked at again: another swap of this commit may have concerned the same row.
  if call('HGET', p .. 'out', swap.key) == swap.old then
    drop(swap.key, swap.old)
    if swap.new ~= '' then
      put(swap.key, swap.new, swap.due)
    end
  end
end
for _ = 1, count() do
  put(take(), take(), take())
end

local now = tonumber(take())
for _ = 1, count() do
  local name, value, expires = take(), take(), take()
  local held = call('GETRANGE', p .. 'm:' .. name, 0, 7)
  local good = false
  if held ~= '' then
    local left, wanted = struct.unpack('>d', held), tonumber(expires)
    good = left >= wanted or (now and left - now > (wanted - now) / 2)
  end
  if not good then
    call('SET', p .. 'm:' .. name, value)
    call('ZADD', p .. 'mx', expires, name)
  end
end

for _ = 1, count() do
  local name, app, value, expires = take(), take(), take(), take()
  call('HSET', p .. 'r:' .. name, app, value)
  call('ZADD', p .. 'ex', expires, #name .. ':' .. name .. app)
end
return nil
