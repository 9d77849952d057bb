"""What Redis learns of a process that ended, from who saw it end: whose audio was in hand, and that its leases are free.

A session that was in hand has a *strike*, at the place it had committed; it is forgotten with the next commit. Of gateways it is
the networks whose bytes were in hand that have strikes, for ten minutes. Keys beside those of ``scripts``::

    had:MEMBER     hash     which partitions it has, with their epochs: also when it is dead, and others have them
    s:SESSION      hash     also its strikes (x), and with which epoch it got where it is (m)
    buried:MEMBER  string   that its end was told, for a while: it counts once, however often it is said
    strike:KEY     string   strikes of a network, for ten minutes; bans: zset of those that are out, by when (ms) they may again
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starling.bus.following import STRIKES
from starling.bus.redis.link import Link
from starling.bus.redis.scripts import PRELUDE
from starling.bus.shared.arena import key_of
from starling.telemetry.logs import get_logger

log = get_logger(__name__)

REMEMBERED: Final = 600
"""Seconds for which a network's strikes are remembered, and for which it is out."""

BEREAVED: Final = (
    PRELUDE
    + """
local had, sessions = redis.call('HGETALL', ns .. 'had:' .. ARGV[2]), {}
for i = 1, #had, 2 do
  for _, session in ipairs(redis.call('ZRANGE', ns .. 'live:' .. had[i], 0, -1)) do sessions[#sessions + 1] = session end
end
return sessions
"""
)
"""The sessions of the partitions that a recognizer had."""

BURY: Final = (
    PRELUDE
    + """
local me, struck = ARGV[2], 0
local known = redis.call('HGETALL', ns .. 'had:' .. me)
local had = {}
for i = 1, #known, 2 do had[known[i]] = tonumber(known[i + 1]) end
if redis.call('SET', ns .. 'buried:' .. me, '', 'NX', 'EX', 60) then
  for i = 3, #ARGV do
    local s = ns .. 's:' .. ARGV[i]
    local at = redis.call('HMGET', s, 'p', 'm')
    if at[1] and had[at[1]] and (tonumber(at[2]) or 0) <= had[at[1]] then
      redis.call('HINCRBY', s, 'x', 1)
      struck = struck + 1
    end
  end
end
redis.call('ZREM', ns .. 'recognizers', me)
for p in pairs(had) do
  if redis.call('GET', ns .. 'lease:' .. p) == me then redis.call('DEL', ns .. 'lease:' .. p) end
end
return struck
"""
)
"""A recognizer is dead, and had these sessions in hand: a strike for each that nobody has got further since, and its partitions
are free at once. How many have one."""

BAN: Final = (
    PRELUDE
    + """
local _, me, seconds, most = unpack(ARGV)
if not redis.call('SET', ns .. 'buried:' .. me, '', 'NX', 'EX', 60) then return 0 end
local out = 0
for i = 5, #ARGV do
  local strikes = redis.call('INCR', ns .. 'strike:' .. ARGV[i])
  redis.call('EXPIRE', ns .. 'strike:' .. ARGV[i], seconds)
  if strikes >= tonumber(most) then
    redis.call('ZADD', ns .. 'bans', now() + 1000 * seconds, ARGV[i])
    out = out + 1
  end
end
return out
"""
)
"""A gateway is dead, and had the bytes of these networks in hand; how many of them are out now."""

BANNED: Final = (
    PRELUDE
    + """
redis.call('ZREMRANGEBYSCORE', ns .. 'bans', '-inf', now())
return redis.call('ZRANGE', ns .. 'bans', 0, -1)
"""
)
"""The networks that are out now."""


async def bury_recognizer(link: Link, member: str, in_hand: Collection[int]) -> int:
    """``member`` is dead: others may have its sessions at once. ``in_hand``: see ``key_of``; of whom it may have died, if of any.

    How many sessions have a strike by that. Others may have them by now; those that got further there have none.
    """
    had = await link.run(BEREAVED, member) if in_hand else ()
    struck: int = await link.run(BURY, member, *(session_id for session_id in had if key_of(session_id.decode()) in in_hand))
    return struck


async def bury_gateway(link: Link, member: str, in_hand: Collection[int]) -> int:
    """``member`` is dead. ``in_hand``: whose bytes it may have died of, see ``key_of``; how many are out by that."""
    if not in_hand:
        return 0
    out: int = await link.run(BAN, member, REMEMBERED, STRIKES, *map(str, in_hand))
    return out


class Banned:
    """Networks that are out at all gateways, as of the last ``look``."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._keys: frozenset[int] = frozenset()

    async def look(self) -> None:
        """Ask Redis."""
        keys = frozenset(map(int, await self._link.run(BANNED)))
        if keys - self._keys:
            log.warning("networks banned", networks=len(keys))
        self._keys = keys

    def __contains__(self, name: object) -> bool:
        return bool(self._keys) and isinstance(name, str) and key_of(name) in self._keys
