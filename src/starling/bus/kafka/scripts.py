"""What Redis does in one step where the records are on Kafka. The keys are those of `bus.redis.scripts`, and of them::

s:SESSION      hash     also the epoch that opened it, or a later one before whose mark nothing is needed (f)
live:P         zset     the sessions of partition P, by an offset from which on their newest records are; 0: not known yet
"""

from __future__ import annotations

from typing import Final

OPEN: Final = """
local ns, gateway, session, p, opened, position, segment, sequence = unpack(ARGV)
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'w', 'o', 'f')
if known[1] then
  local since = redis.call('ZSCORE', ns .. 'live:' .. p, session)
  if known[1] == gateway and known[2] == opened and since == '0' then return tonumber(known[3]) end
  return 0
end
local epoch = redis.call('INCR', ns .. 'writers')
redis.call('HSET', s, 'o', opened, 'cp', position, 'cs', segment, 'cq', sequence, 'w', gateway, 'f', epoch, 'i', 0, 'p', p)
redis.call('ZADD', ns .. 'live:' .. p, 0, session)
redis.call('SADD', ns .. 'gw:' .. gateway, session)
return epoch
"""
"""The epoch with which a gateway writes a new session; 0 if it is open already."""

TAKE: Final = """
local ns, gateway, session, p = unpack(ARGV)
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'w', 'cp', 'f')
if not known[1] then return {} end
local epoch = redis.call('INCR', ns .. 'writers')
local d = ns .. 'dir:' .. session
if redis.call('EXISTS', d) == 1 then redis.call('HSET', d, 'g', gateway) end
if known[1] ~= gateway then
  redis.call('HSET', s, 'w', gateway)
  redis.call('SMOVE', ns .. 'gw:' .. known[1], ns .. 'gw:' .. gateway, session)
  redis.call('PUBLISH', ns .. 'in:' .. known[1], 'm' .. session .. '\\0' .. epoch)
end
return {epoch, tonumber(known[2]), tonumber(known[3]), tonumber(redis.call('ZSCORE', ns .. 'live:' .. p, session) or 0)}
"""
"""Makes a gateway the one that appends to a session, and that has it in the directory: its epoch, the committed position, the
first epoch whose records count, and the offset from which on the newest record is. Nothing where the session is not open."""

SURVEY: Final = """
local ns, p = ARGV[1], ARGV[2]
local answer = {tonumber(redis.call('GET', ns .. 'writers') or 0)}
for _, session in ipairs(redis.call('ZRANGE', ns .. 'live:' .. p, 0, -1)) do
  local known = redis.call('HMGET', ns .. 's:' .. session, 'o', 'c', 'x', 'f')
  if known[1] then
    answer[#answer + 1] = known[1]
    answer[#answer + 1] = known[2] or ''
    answer[#answer + 1] = tonumber(known[3] or 0)
    answer[#answer + 1] = tonumber(known[4])
  end
end
return answer
"""
"""The newest epoch of all, then of each live session how it opened, its last checkpoint, its strikes and the first epoch
that counts."""

SUCCEED: Final = """
local ns, session, p, fence, epoch = unpack(ARGV)
if fence ~= '' and redis.call('GET', ns .. 'epoch:' .. p) ~= fence then return -2 end
local s = ns .. 's:' .. session
if redis.call('EXISTS', s) == 0 then return -1 end
redis.call('HSET', s, 'f', epoch)
return 1
"""
"""Nothing that older epochs than ``epoch`` wrote is needed of a session any more. 1, GONE or FENCED."""
