"""The bus of several hosts, on one Redis.

`scripts` is what Redis does in one step, and so what holds whoever dies in between; `link` is the way there, which
`starling.redis` opens, and says whether it is open. A recognizer's `tenure` holds partitions of the audio log by leases; every
write for a session carries the epoch of the lease, and is refused once somebody has a newer one. A gateway's `inbox` is where it
hears what concerns its sessions. `audio_log`, `follower`, `results`, `directory` and `load_board` are the ports on top; `sides`
puts them together by role. What a recognizer follows is in `bus.following`, purely; `leased_log` follows it wherever the records
are, `follower` on streams.
"""
