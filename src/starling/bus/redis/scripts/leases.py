"""Which recognizer has which partitions. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import MUST, PRELUDE

BEAT: Final = (
    PRELUDE
    + MUST
    + """
local _, me, ttl, partitions, draining = unpack(ARGV)
if draining == '1' then
  redis.call('ZREM', ns .. 'recognizers', me)
else
  redis.call('ZADD', ns .. 'recognizers', now() + ttl, me)
end
redis.call('ZREMRANGEBYSCORE', ns .. 'recognizers', '-inf', now())
redis.call('EXPIRE', ns .. 'had:' .. me, 3600)
local lost, free = {}, {}
for i = 6, #ARGV, 2 do
  if redis.call('GET', ns .. 'epoch:' .. ARGV[i]) == ARGV[i + 1] then
    redis.call('SET', ns .. 'lease:' .. ARGV[i], me, 'PX', ttl)
  else
    lost[#lost + 1] = tonumber(ARGV[i])
    redis.call('HDEL', ns .. 'had:' .. me, ARGV[i])
  end
end
for p = 0, partitions - 1 do
  if redis.call('EXISTS', ns .. 'lease:' .. p) == 0 then free[#free + 1] = p end
end
return {redis.call('ZRANGE', ns .. 'recognizers', 0, -1), lost, free}
"""
)
"""A recognizer's sign of life, which renews the leases it names with their epochs: who is alive, what it lost, what is free."""

LEASE: Final = (
    PRELUDE
    + MUST
    + """
local _, me, ttl = unpack(ARGV)
local epochs = {}
for i = 4, #ARGV do
  local holder = redis.call('GET', ns .. 'lease:' .. ARGV[i])
  if not holder or holder == me then -- mine already: the answer that said so was lost
    redis.call('SET', ns .. 'lease:' .. ARGV[i], me, 'PX', ttl)
    epochs[#epochs + 1] = redis.call('INCR', ns .. 'epoch:' .. ARGV[i])
    redis.call('HSET', ns .. 'had:' .. me, ARGV[i], epochs[#epochs])
    redis.call('EXPIRE', ns .. 'had:' .. me, 3600)
  else
    epochs[#epochs + 1] = 0
  end
end
return epochs
"""
)
"""Takes partitions that nobody has: the epoch of each, 0 where somebody was quicker."""

RELEASE: Final = (
    PRELUDE
    + """
for i = 3, #ARGV, 2 do
  if redis.call('GET', ns .. 'epoch:' .. ARGV[i]) == ARGV[i + 1] and redis.call('GET', ns .. 'lease:' .. ARGV[i]) == ARGV[2] then
    redis.call('DEL', ns .. 'lease:' .. ARGV[i])
  end
  redis.call('HDEL', ns .. 'had:' .. ARGV[2], ARGV[i])
end
return 1
"""
)
