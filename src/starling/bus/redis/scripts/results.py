"""What was recognized, until the gateway has it. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import MUST, PRELUDE

SUBSCRIBE: Final = (
    PRELUDE
    + """
local _, gateway, session, after = unpack(ARGV)
local r = ns .. 'r:' .. session
local before = redis.call('HMGET', r, 'g', 't', 'n', 'pa', 'lost')
local holder = redis.call('HGET', ns .. 'dir:' .. session, 'g')
if after == '' then
  redis.call('DEL', r, ns .. 'ev:' .. session)
  redis.call('HSET', r, 'g', gateway, 't', (before[2] or 0) + 1, 'n', 0, 'lost', -1)
elseif not before[1] then
  return -1
elseif after ~= '?' and holder and holder ~= gateway then
  return -2
elseif after ~= '?' and tonumber(before[5]) > tonumber(after) then
  return {tonumber(before[5])}
elseif after == '?' and before[1] ~= gateway then
  return -2
else
  redis.call('HSET', r, 'g', gateway)
end
if before[1] and before[1] ~= gateway then redis.call('PUBLISH', ns .. 'in:' .. before[1], 'x' .. session) end
if after == '' then return {-1, 0, ''} end
return {-1, tonumber(before[3]), before[4] or '', unpack(redis.call('LRANGE', ns .. 'ev:' .. session, 0, -1))}
"""
)
"""Listen: anew (after ''), where somebody stopped, or again where this gateway listens already (after '?').

GONE, FENCED, or the newest segment that is lost, if it is needed; else -1, how many events there were, the newest partial and the
lasting events.
"""

PUBLISH: Final = (
    PRELUDE
    + MUST
    + """
local _, session, p, epoch, token, number, lasting, entry, state, partial, kept = unpack(ARGV)
if fenced(ns, p, epoch) then return -2 end
local r = ns .. 'r:' .. session
local known = redis.call('HMGET', r, 'g', 't', 'n', 'lost')
if not known[1] then return -1 end
if known[2] ~= token then return -3 end
local ahead = tonumber(number) - tonumber(known[3])
if ahead <= 0 then return 1 end
if ahead > 1 then return -3 end
if lasting == '1' then
  local events = ns .. 'ev:' .. session
  if redis.call('RPUSH', events, entry) > tonumber(kept) then
    local segment = struct.unpack('<i8', redis.call('LPOP', events), 17)
    if segment > tonumber(known[4]) then redis.call('HSET', r, 'lost', segment) end
  end
end
redis.call('HSET', r, 'n', number, 'st', state)
if partial == '1' then redis.call('HSET', r, 'pa', entry) elseif partial == '0' then redis.call('HDEL', r, 'pa') end
redis.call('PUBLISH', ns .. 'in:' .. known[1], 'e' .. session .. '\\0' .. entry)
return 1
"""
)
"""Adds event ``number``, and what was told then (``state``). ``partial``: 1 where it is one, 0 where there is none any more."""

DISMISS: Final = (
    PRELUDE
    + """
local _, gateway, session = unpack(ARGV)
local r = ns .. 'r:' .. session
if redis.call('HGET', r, 'g') == gateway then redis.call('DEL', r, ns .. 'ev:' .. session) end
return 1
"""
)
"""Drops the results of a session that this gateway listens to."""
