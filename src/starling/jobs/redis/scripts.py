"""What Redis does at once. Each script may be repeated when its answer was lost: the second time changes nothing.

Who works on what is a consumer group (``transcribers``) on a stream (``running``). A stream is served in the order of adding,
which is not the order of jobs: so a job becomes an entry at the moment of its claim, and its worker reads it in the same step
(XREADGROUP). It stays among that consumer's pending entries until the attempt is over (XACK, XDEL); heartbeats renew it there
(XCLAIM), and what a dead consumer had is found by XAUTOCLAIM.

Redis counts idle time by its own clock, the port by its callers'. An entry is said to have been delivered at the end of its
lease, less ``LONG_AGO``, for that must not lie in the future; what is idle for longer, by the caller's clock, has expired.
"""

from __future__ import annotations

from typing import Final

GROUP: Final = "transcribers"

LONG_AGO: Final = 100_000_000_000
"""Milliseconds; three years. A lease is shorter."""

DONE: Final = 0
"""The answer of COMMIT when it was, now or before."""

COMMIT: Final = """
local ns, job, stamp = ARGV[1], ARGV[2], ARGV[3]
local key, stream = ns .. 'job:' .. job, ns .. 'running'
if redis.call('HGET', key, 'stamp') == stamp then return 0 end
if redis.call('EXISTS', stream) == 0 then redis.call('XGROUP', 'CREATE', stream, 'transcribers', '0', 'MKSTREAM') end
local conditions, steps = unpack(cmsgpack.unpack(ARGV[4]))
for number, condition in ipairs(conditions) do
  local kind, where, what, wanted = unpack(condition)
  if kind == 'is' and (redis.call('HGET', ns .. where, what) or '') ~= wanted then return number end
  if kind == 'below' and redis.call('ZCARD', ns .. where) >= tonumber(what) then return number end
end
for _, step in ipairs(steps) do
  local what = step[1]
  if what == 'TURN' then
    redis.call('ZADD', ns .. 'turns', step[3], redis.call('INCR', ns .. 'turn'), step[2])
  elseif what == 'TAKE' then
    redis.call('XADD', stream, '*', 'job', job)
    local entry = redis.call('XREADGROUP', 'GROUP', 'transcribers', step[2], 'COUNT', 1, 'STREAMS', stream, '>')[1][2][1][1]
    redis.call('XCLAIM', stream, 'transcribers', step[2], 0, entry, 'TIME', step[3], 'JUSTID')
    redis.call('HSET', key, 'entry', entry)
  elseif what == 'RENEW' then
    redis.call('XCLAIM', stream, 'transcribers', step[2], 0, redis.call('HGET', key, 'entry'), 'TIME', step[3], 'JUSTID')
  elseif what == 'LEAVE' then
    local entry = redis.call('HGET', key, 'entry')
    redis.call('XACK', stream, 'transcribers', entry)
    redis.call('XDEL', stream, entry)
    redis.call('HDEL', key, 'entry')
  else
    step[2] = ns .. step[2]
    redis.call(unpack(step))
  end
end
if redis.call('EXISTS', key) == 1 then
  redis.call('HINCRBY', key, 'revision', 1)
  redis.call('HSET', key, 'stamp', stamp)
end
redis.call('PUBLISH', ns .. 'changes', job)
return 0
"""
"""If all conditions hold, take all steps: DONE, or the number of the first condition that does not hold, from 1.

``is``: a field of a hash has that value, '' if it is not there. ``below``: a sorted set has fewer members. Steps are commands
with one key, or what is written out above.
"""

TAKE_OVER: Final = """
local ns, worker, now, renewed, long_ago = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local server = time[1] * 1000 + math.floor(time[2] / 1000)
local idle = math.max(0, server - now + long_ago)
local stream, jobs = ns .. 'running', {}
if redis.call('EXISTS', stream) == 0 then return {} end
local cursor, wanted = '0-0', string.format('%.0f', idle)
repeat
  local answer = redis.call('XAUTOCLAIM', stream, 'transcribers', worker, wanted, cursor, 'COUNT', 100)
  cursor = answer[1]
  for _, entry in ipairs(answer[2]) do
    if entry and entry[2] then
      redis.call('XCLAIM', stream, 'transcribers', worker, 0, entry[1], 'TIME', renewed, 'JUSTID')
      jobs[#jobs + 1] = entry[2][2]
    end
  end
until cursor == '0-0' or #jobs >= 100
return jobs
"""
"""Jobs whose lease ran out by ``now`` (ms). The caller has them for a moment, until ``renewed``, to say what becomes of them."""

PICK: Final = """
local ns, now, by = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local function oldest(rank, tenant)
  local waiting, at = ns .. 'waiting:' .. rank .. ':' .. tenant, 0
  while true do
    local some = redis.call('ZRANGE', waiting, '-inf', by ~= '' and by or '+inf', 'BYSCORE', 'LIMIT', at, 10)
    for _, job in ipairs(some) do
      local later = redis.call('ZSCORE', ns .. 'delayed', job)
      if not later or tonumber(later) <= now then return job end
    end
    if #some == 0 then return false end
    at = at + #some
  end
end
local tenants = redis.call('ZRANGE', ns .. 'turns', 0, -1)
if by ~= '' then
  for _, tenant in ipairs(tenants) do
    if redis.call('EXISTS', ns .. 'history:' .. tenant .. ':running') == 0 then
      for number = 4, #ARGV do
        local job = oldest(ARGV[number], tenant)
        if job then return job end
      end
    end
  end
  return false
end
for number = 4, #ARGV do
  for _, tenant in ipairs(tenants) do
    local job = oldest(ARGV[number], tenant)
    if job then return job end
  end
end
return false
"""
"""The job that is next, if there is one of the ranks that follow: by these, tenants in turn, the oldest first.

``by``: of tenants of whom nothing runs, and submitted by then: these in turn, of each by rank. '' for any.
"""

TAKE_CHORE: Final = """
local key, worker, now, lease = ARGV[1] .. 'chore:' .. ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local holder = redis.call('HMGET', key, 'worker', 'until')
if holder[1] and holder[1] ~= worker and now < tonumber(holder[2]) then return 0 end
redis.call('HSET', key, 'worker', worker, 'until', lease)
return 1
"""
"""1 if ``worker`` has the chore until ``lease``."""
