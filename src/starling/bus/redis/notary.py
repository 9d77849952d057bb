"""Notary on Redis. Keys beside those of ``scripts``::

    seal            string   what gateways sign with
    spent:NUMBER    string   by which attempt it was used, for a while

Redis that lost its data has no seal either: a new one is made, and whatever was signed before, used or not, is void.
"""

from __future__ import annotations

import secrets
from typing import Final

from starling.bus.redis.link import Link
from starling.bus.redis.scripts import PRELUDE

SEAL: Final = (
    PRELUDE
    + """
local root = redis.call('GET', ns .. 'seal')
if not root then
  root = ARGV[2]
  redis.call('SET', ns .. 'seal', root)
end
return root
"""
)
"""What all sign with; what is given from now on, where there is nothing."""

SPEND: Final = (
    PRELUDE
    + """
local _, number, seconds, root, attempt = unpack(ARGV)
if redis.call('GET', ns .. 'seal') ~= root then return 0 end
if redis.call('SET', ns .. 'spent:' .. number, attempt, 'NX', 'EX', seconds) then return 1 end
return redis.call('GET', ns .. 'spent:' .. number) == attempt and 1 or 0
"""
)
"""1 for the first attempt, also when it is repeated because its answer was lost; else 0."""


class RedisNotary:
    """The notary as a gateway sees it. It waits for nobody: a client stands at the door."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def root(self, fresh: bytes) -> bytes:
        root: bytes = await self._link.promptly(SEAL, fresh)
        return root

    async def spend(self, number: str, seconds: int, root: bytes) -> bool:
        return bool(await self._link.promptly(SPEND, number, seconds, root, secrets.token_hex(8)))
