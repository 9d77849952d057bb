"""What Redis does in one step. Each script can be repeated when its answer was lost: the second time changes nothing.

Keys, all under one prefix::

    s:SESSION      hash     a session on the log: how it opened (o), last checkpoint (c; its order: cp cs cq), how far its
                            records go (e q r d), how many there were (n), the last one (l), the newest controls since there
                            was sound (2 3 4, by kind), whether nothing of it is needed (i), its gateway (w), partition (p)
    log:P          stream   the records of partition P: field = session, value = entry
    live:P         zset     its sessions, by the time (ms) of the oldest record that is needed; inf: none
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

_MUST: Final = """
redis.call('DEL', ns .. 'nothing')
"""
"""Makes a script one that has written something, which a Redis without memory lets finish: what frees memory has to work then,
and so has what must be said before."""

OPEN: Final = (
    PRELUDE
    + """
local _, gateway, session, p, opened, position, segment, sequence, entry = unpack(ARGV)
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'w', 'n', 'o')
if known[1] then
  if known[1] == gateway and known[2] == '0' and known[3] == opened then return 1 end
  return 0
end
local id = redis.call('XADD', ns .. 'log:' .. p, '*', session, entry)
redis.call('HSET', s, 'o', opened, 'cp', position, 'cs', segment, 'cq', sequence, 'e', position, 'q', sequence, 'r', 0,
  'd', 0, 'n', 0, 'w', gateway, 'p', p, 'l', id, 'i', 0)
redis.call('ZADD', ns .. 'live:' .. p, ms(id), session)
redis.call('SADD', ns .. 'gw:' .. gateway, session)
return 1
"""
)
"""1, or 0 if the session is open already. Of another gateway's, or with records, that is."""

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

TAKE: Final = (
    PRELUDE
    + """
local _, gateway, session = unpack(ARGV)
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'w', 'e', 'q', 'r', 'd', 'n', 'cp')
if not known[1] then return {} end
local epoch = redis.call('INCR', ns .. 'writers')
local d = ns .. 'dir:' .. session
if redis.call('EXISTS', d) == 1 then redis.call('HSET', d, 'g', gateway) end
if known[1] ~= gateway then
  redis.call('HSET', s, 'w', gateway)
  redis.call('SMOVE', ns .. 'gw:' .. known[1], ns .. 'gw:' .. gateway, session)
  redis.call('PUBLISH', ns .. 'in:' .. known[1], 'm' .. session .. '\\0' .. epoch)
end
known[8] = epoch
return known
"""
)
"""Makes a gateway the only one that appends to a session, and the one that has it in the directory: how far it goes, and its
epoch. That of a gateway that came before is lower."""

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

COMMIT: Final = (
    PRELUDE
    + _MUST
    + """
local _, session, p, epoch, checkpoint, position, segment, sequence, needed, read = unpack(ARGV)
if fenced(ns, p, epoch) then return -2 end
local s = ns .. 's:' .. session
local known = redis.call('HMGET', s, 'cp', 'cs', 'cq', 'w', 'l', 'x')
if not known[1] then return -1 end
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
"""1, 0 for an older checkpoint than the last, GONE or FENCED. ``needed``: the oldest record that is; ``read``: the newest."""

FORGET: Final = (
    PRELUDE
    + _MUST
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

SURVEY: Final = (
    PRELUDE
    + """
local p = ARGV[2]
local last = redis.call('XREVRANGE', ns .. 'log:' .. p, '+', '-', 'COUNT', 1)[1]
local answer = {last and last[1] or '0-0'}
for _, session in ipairs(redis.call('ZRANGE', ns .. 'live:' .. p, 0, -1)) do
  local known = redis.call('HMGET', ns .. 's:' .. session, 'o', 'c', 'x')
  if known[1] then
    answer[#answer + 1] = known[1]
    answer[#answer + 1] = known[2] or ''
    answer[#answer + 1] = tonumber(known[3] or 0)
  end
end
return answer
"""
)
"""The last record of a partition, then of each live session how it opened, its last checkpoint and its strikes, all of one
moment."""

BEAT: Final = (
    PRELUDE
    + _MUST
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
    + _MUST
    + """
local _, me, ttl = unpack(ARGV)
local epochs = {}
for i = 4, #ARGV do
  if redis.call('SET', ns .. 'lease:' .. ARGV[i], me, 'PX', ttl, 'NX') then
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
    + _MUST
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
    + _MUST
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

ENTER: Final = (
    PRELUDE
    + """
local _, gateway, tenant, mine, most = unpack(ARGV)
local tally, all = ns .. 'tally:' .. tenant, 0
local known = redis.call('HGETALL', tally)
for i = 1, #known, 2 do if known[i] ~= gateway then all = all + tonumber(known[i + 1]) end end
local admitted = all + mine <= tonumber(most)
redis.call('HSET', tally, gateway, admitted and mine or mine - 1)
redis.call('SADD', ns .. 'tallies', tenant)
return admitted and 1 or 0
"""
)
"""1 if a tenant has room for one more session, which is counted then."""

EXCHANGE: Final = (
    PRELUDE
    + """
local gateway, day, answers = ARGV[2], ARGV[3], {}
for i = 4, #ARGV, 3 do
  local tenant = ARGV[i]
  if ARGV[i + 1] == '0' then
    redis.call('HDEL', ns .. 'tally:' .. tenant, gateway)
  else
    redis.call('HSET', ns .. 'tally:' .. tenant, gateway, ARGV[i + 1])
    redis.call('SADD', ns .. 'tallies', tenant)
  end
  local audio, others = ns .. 'audio:' .. day .. ':' .. tenant, 0
  redis.call('HSET', audio, gateway, ARGV[i + 2])
  redis.call('EXPIRE', audio, 172800)
  local known = redis.call('HGETALL', audio)
  for j = 1, #known, 2 do if known[j] ~= gateway then others = others + tonumber(known[j + 1]) end end
  answers[#answers + 1] = string.format('%.6f', others)
end
return answers
"""
)
"""Sets a gateway's share of each tenant named, sessions and audio of the day; the audio of all others."""
