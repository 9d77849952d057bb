"""Which sessions there are, and at which gateway; and which gateways. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import MUST, PRELUDE

PUT: Final = (
    PRELUDE
    + """
local _, gateway, session, entry, token = unpack(ARGV)
local d = ns .. 'dir:' .. session
local known = redis.call('HMGET', d, 'g', 'k')
if known[1] and known[1] ~= gateway then return -2 end
if known[2] and known[2] ~= token then redis.call('DEL', ns .. 'token:' .. known[2]) end
redis.call('HSET', d, 'e', entry, 'g', gateway, 'k', token)
redis.call('SADD', ns .. 'dir', session)
if token ~= '' then redis.call('SET', ns .. 'token:' .. token, session) end
return 1
"""
)

CLAIM: Final = (
    PRELUDE
    + """
local d = ns .. 'dir:' .. ARGV[3]
if redis.call('EXISTS', d) == 0 then return -1 end
redis.call('HSET', d, 'g', ARGV[2])
return 1
"""
)

REMOVE: Final = (
    PRELUDE
    + """
local d = ns .. 'dir:' .. ARGV[3]
local known = redis.call('HMGET', d, 'g', 'k')
if not known[1] then return -1 end
if known[1] ~= ARGV[2] then return -2 end
redis.call('DEL', d, ns .. 'token:' .. known[2])
redis.call('SREM', ns .. 'dir', ARGV[3])
return 1
"""
)

ORPHANS: Final = (
    PRELUDE
    + MUST
    + """
local _, gateway, patience = unpack(ARGV)
redis.call('ZADD', ns .. 'gateways', now(), gateway)
local orphans = {}
for _, dead in ipairs(redis.call('ZRANGEBYSCORE', ns .. 'gateways', '-inf', '(' .. string.format('%.0f', now() - patience))) do
  for _, session in ipairs(redis.call('SPOP', ns .. 'gw:' .. dead, 100)) do
    for _, own in ipairs({{'s:', 'w'}, {'r:', 'g'}, {'dir:', 'g'}}) do
      if redis.call('EXISTS', ns .. own[1] .. session) == 1 then redis.call('HSET', ns .. own[1] .. session, own[2], gateway) end
    end
    redis.call('SADD', ns .. 'gw:' .. gateway, session)
    orphans[#orphans + 1] = session
  end
  if redis.call('SCARD', ns .. 'gw:' .. dead) == 0 then
    redis.call('ZREM', ns .. 'gateways', dead)
    for _, tenant in ipairs(redis.call('SMEMBERS', ns .. 'tallies')) do
      redis.call('HDEL', ns .. 'tally:' .. tenant, dead)
      if redis.call('EXISTS', ns .. 'tally:' .. tenant) == 0 then redis.call('SREM', ns .. 'tallies', tenant) end
    end
  end
end
return orphans
"""
)
"""A gateway's sign of life; it gets the sessions of those that gave none for ``patience`` milliseconds."""
