"""How much each tenant has, over all gateways. See ``scripts``."""

from __future__ import annotations

from typing import Final

from starling.bus.redis.scripts import PRELUDE

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
