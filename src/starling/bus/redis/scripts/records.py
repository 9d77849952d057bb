"""Records on streams. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import PRELUDE

APPEND: Final = (
    PRELUDE
    + """
local gateway, answers = ARGV[2], {}
for i = 3, #ARGV, 3 do
  local session, number, entry = unpack(ARGV, i, i + 2)
  local s = ns .. 's:' .. session
  local known = redis.call('HMGET', s, 'w', 'n', 'cp', 'i', 'p', '2', '3', '4')
  if not known[1] then
    answers[#answers + 1] = -1
  elseif known[1] ~= gateway then
    answers[#answers + 1] = -2
  else
    if tonumber(number) > tonumber(known[2]) then
      local kind, sequence, _, till, _, received = struct.unpack('<Bi8i8i8dI8', entry)
      local p, sound = known[5], kind < 2
      local before = not sound and known[kind + 4]
      if before then redis.call('XDEL', ns .. 'log:' .. p, before) end
      local id = redis.call('XADD', ns .. 'log:' .. p, '*', session, entry)
      redis.call('HSET', s, 'n', number, 'e', till, 'q', sequence, 'r', received, 'l', id)
      if not sound then
        redis.call('HSET', s, kind, id)
        if kind == 4 then redis.call('HSET', s, 'd', 1) end
      elseif known[6] or known[7] or known[8] then
        redis.call('HDEL', s, '2', '3', '4')
      end
      if known[4] == '1' then
        redis.call('ZADD', ns .. 'live:' .. p, ms(id), session)
        redis.call('HSET', s, 'i', 0)
      end
    end
    answers[#answers + 1] = tonumber(known[3])
  end
end
return answers
"""
)
"""For each record, of which it is told session, number and entry, the committed position, GONE or FENCED. One that is there
already is not added again. What an entry says of itself is read as ``bus.entries`` packs it: kinds 0 and 1 are sound."""

LOOK: Final = (
    PRELUDE
    + """
local answers = {}
for i = 3, #ARGV do
  local known = redis.call('HMGET', ns .. 's:' .. ARGV[i], 'w', 'cp')
  if not known[1] then answers[#answers + 1] = -1
  elseif known[1] ~= ARGV[2] then answers[#answers + 1] = -2
  else answers[#answers + 1] = tonumber(known[2]) end
end
return answers
"""
)
"""As APPEND, without records: of each session named."""
