"""A session on the log, wherever its records are. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import MUST, PRELUDE

OPEN: Final = (
    PRELUDE
    + """
local _, gateway, session, p, opened, position, segment, sequence, entry = unpack(ARGV)
local s, live = ns .. 's:' .. session, ns .. 'live:' .. p
local known = redis.call('HMGET', s, 'w', 'o', 'n', 'f')
if known[1] then
  local bare = known[3] == '0' and (entry ~= '' or redis.call('ZSCORE', live, session) == '0')
  if bare and known[1] == gateway and known[2] == opened then return tonumber(known[4]) end
  return 0
end
local epoch = redis.call('INCR', ns .. 'writers')
local id = entry == '' and '0' or redis.call('XADD', ns .. 'log:' .. p, '*', session, entry)
redis.call('HSET', s, 'o', opened, 'cp', position, 'cs', segment, 'cq', sequence, 'e', position, 'q', sequence, 'r', 0,
  'd', 0, 'n', 0, 'w', gateway, 'f', epoch, 'p', p, 'l', id, 'i', 0)
redis.call('ZADD', live, ms(id), session)
redis.call('SADD', ns .. 'gw:' .. gateway, session)
return epoch
"""
)
"""The epoch with which a gateway writes a new session; 0 if it is open already: another gateway's, or with records, that is.
``entry``: its first one on the stream, empty where its records are elsewhere."""

TAKE: Final = (
    PRELUDE
    + """
local _, gateway, session, p = unpack(ARGV)
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'w', 'cp', 'e', 'q', 'r', 'd', 'n', 'f')
if not known[1] then return {} end
local epoch = redis.call('INCR', ns .. 'writers')
local d = ns .. 'dir:' .. session
if redis.call('EXISTS', d) == 1 then redis.call('HSET', d, 'g', gateway) end
if known[1] ~= gateway then
  redis.call('HSET', s, 'w', gateway)
  redis.call('SMOVE', ns .. 'gw:' .. known[1], ns .. 'gw:' .. gateway, session)
  redis.call('PUBLISH', ns .. 'in:' .. known[1], 'm' .. session .. '\\0' .. epoch)
end
local answer = {epoch}
for i = 2, 8 do answer[i] = tonumber(known[i] or 0) end
answer[9] = redis.call('ZSCORE', ns .. 'live:' .. p, session) or '0'
return answer
"""
)
"""Makes a gateway the only one that appends to a session, and the one that has it in the directory: its epoch, higher than any
before, then the committed position, how far the records go (e q r d n), the first epoch that counts, and where the records are
that are needed (a score of ``live``). Nothing where the session is not open."""

SURVEY: Final = (
    PRELUDE
    + """
local p = ARGV[2]
local last = redis.call('XREVRANGE', ns .. 'log:' .. p, '+', '-', 'COUNT', 1)[1]
local answer = {tonumber(redis.call('GET', ns .. 'writers') or 0), last and last[1] or '0-0'}
for _, session in ipairs(redis.call('ZRANGE', ns .. 'live:' .. p, 0, -1)) do
  local known = redis.call('HMGET', ns .. 's:' .. session, 'o', 'c', 'x', 'f')
  if known[1] then
    answer[#answer + 1] = known[1]
    answer[#answer + 1] = known[2] or ''
    answer[#answer + 1] = tonumber(known[3] or 0)
    answer[#answer + 1] = tonumber(known[4] or 0)
  end
end
return answer
"""
)
"""The newest epoch of all gateways, and the last record of a partition's stream; then of each live session how it opened, its
last checkpoint, its strikes and the first epoch that counts. All of one moment."""

COMMIT: Final = (
    PRELUDE
    + MUST
    + """
local _, session, p, epoch, checkpoint, position, segment, sequence, needed, read, first = unpack(ARGV)
if fenced(ns, p, epoch) then return -2 end
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'cp', 'cs', 'cq', 'w', 'l', 'x')
if not known[1] then return -1 end
if first ~= '' then redis.call('HSET', s, 'f', first) end
local new, old = {position, segment, sequence}, {known[1], known[2], known[3]}
for i = 1, 3 do
  if tonumber(new[i]) < tonumber(old[i]) then return 0 end
  if tonumber(new[i]) > tonumber(old[i]) then break end
end
redis.call('HSET', s, 'c', checkpoint, 'cp', position, 'cs', segment, 'cq', sequence)
if tonumber(position) > tonumber(known[1]) then
  if known[6] then redis.call('HDEL', s, 'x') end
  redis.call('HSET', s, 'm', epoch)
end
if needed ~= '' then
  redis.call('ZADD', ns .. 'live:' .. p, ms(needed), session)
elseif read ~= '' and read == known[5] then
  redis.call('ZADD', ns .. 'live:' .. p, 'inf', session)
  redis.call('HSET', s, 'i', 1)
elseif read ~= '' then
  redis.call('ZADD', ns .. 'live:' .. p, ms(read), session)
end
redis.call('PUBLISH', ns .. 'in:' .. known[4], 'c' .. session .. '\\0' .. position)
trim(ns, p)
return 1
"""
)
"""1, 0 for an older checkpoint than the last, GONE or FENCED. ``needed``: the oldest record that is; ``read``: the newest.
``first``: before whose mark nothing is needed any more; empty where nobody leaves any."""

FORGET: Final = (
    PRELUDE
    + MUST
    + """
local _, session, p, epoch = unpack(ARGV)
if fenced(ns, p, epoch) then return -2 end
local s = ns .. 's:' .. session
local gateway = redis.call('HGET', s, 'w')
if not gateway then return -1 end
redis.call('DEL', s)
redis.call('ZREM', ns .. 'live:' .. p, session)
redis.call('SREM', ns .. 'gw:' .. gateway, session)
redis.call('PUBLISH', ns .. 'in:' .. gateway, 'f' .. session)
trim(ns, p)
return 1
"""
)
