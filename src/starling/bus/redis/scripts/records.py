"""Records on streams. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import PRELUDE

APPEND: Final = (
    PRELUDE
    + """
local gateway, answers = ARGV[2], {}
for i = 3, #ARGV, 8 do
  local session, p, number, kind, till, sequence, received, entry = unpack(ARGV, i, i + 7)
  local s = ns .. 's:' .. session
  local known = redis.call('HMGET', s, 'w', 'n', 'cp', 'i')
  if not known[1] then
    answers[#answers + 1] = -1
  elseif known[1] ~= gateway then
    answers[#answers + 1] = -2
  else
    if tonumber(number) > tonumber(known[2]) then
      local sound = kind == '0' or kind == '1'
      if not sound then
        local before = redis.call('HGET', s, kind)
        if before then redis.call('XDEL', ns .. 'log:' .. p, before) end
      end
      local id = redis.call('XADD', ns .. 'log:' .. p, '*', session, entry)
      redis.call('HSET', s, 'n', number, 'e', till, 'q', sequence, 'r', received, 'l', id)
      if sound then
        redis.call('HDEL', s, '2', '3', '4')
      else
        redis.call('HSET', s, kind, id)
        if kind == '4' then redis.call('HSET', s, 'd', 1) end
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
"""For each record the committed position, GONE or FENCED. Records have numbers; one that is there already is not added again."""

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
