"""What Redis does in one step, by what it is about, whether the records are on Redis or on Kafka.

Each script can be repeated when its answer was lost: the second time changes nothing.

Keys, all under one prefix::

    s:SESSION      hash     a session on the log: how it opened (o), last checkpoint (c; its order: cp cs cq), its gateway (w),
                            partition (p), and the epoch that opened it, or a later one before whose mark nothing is needed
                            (f); where its records are on a stream, how far they go (e q r d), how many there were (n), the
                            last one (l), the newest controls since there was sound (2 3 4, by kind), whether nothing of it
                            is needed (i)
    log:P          stream   the records of partition P: field = session, value = entry
    live:P         zset     its sessions, by the time (ms) of the oldest record that is needed, inf: none; where records are on
                            Kafka, by an offset from which on its newest records are, 0: not known yet
    epoch:P        string   how often P was leased
    lease:P        string   who has it, until it expires
    r:SESSION      hash     results: gateway (g), which subscription (t), events so far (n), what was told (st), newest
                            partial (pa), newest segment of which something is not kept (lost)
    ev:SESSION     list     its newest lasting events
    dir:SESSION    hash     its entry (e), gateway (g), token's digest (k); dir: the set of them; token:DIGEST: its session
    tally:TENANT   hash     sessions by gateway; tallies: the set of tenants
    audio:D:TENANT hash     seconds of audio by gateway, on day D
    writers        string   the newest epoch of a gateway, over all sessions
    gw:GATEWAY     set      sessions that it has on the log
    gateways       zset     gateways by their last sign of life (ms)
    recognizers    zset     recognizers by the time (ms) at which they are taken for dead
    loads          hash     what recognizers say of themselves

and two kinds of channels: ``in:GATEWAY`` for what concerns its sessions, ``loads`` for all.
"""

from __future__ import annotations

from typing import Final

GONE: Final = -1
"""The session is not there."""
FENCED: Final = -2
"""It is another one's."""
STALE: Final = -3
"""It is not what the caller knows; read it again."""

PRELUDE: Final = """
local function now() local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000) end
local function ms(id) return string.match(id, '^(%d+)') end
local function fenced(ns, p, epoch) return epoch ~= '' and redis.call('GET', ns .. 'epoch:' .. p) ~= epoch end
local function trim(ns, p)
  local oldest = redis.call('ZRANGE', ns .. 'live:' .. p, 0, 0, 'WITHSCORES')[2]
  if not oldest or oldest == 'inf' then
    redis.call('XTRIM', ns .. 'log:' .. p, 'MINID', '~', string.format('%.0f', now()))
  else
    redis.call('XTRIM', ns .. 'log:' .. p, 'MINID', '~', string.format('%.0f', tonumber(oldest)))
  end
end
local ns = ARGV[1]
"""

MUST: Final = """
redis.call('DEL', ns .. 'nothing')
"""
"""Makes a script one that has written something, which a Redis without memory lets finish: what frees memory has to work then,
and so has what must be said before."""
