"""The audio log of several hosts on Kafka. All else of the bus is on Redis, as in `bus.redis`.

`stamps` says, purely, which records of a session count, whoever wrote them. A gateway
appends by a `writer`; a recognizer reads as a member of a `group`, which assigns partitions, and leases what it was assigned in
Redis (`tenure`), so that the epochs there fence it. `audio_log` and `follower` are the port's two ends on top, each with what
is Kafka's of one that `bus.redis` has already; `following` says, purely, what a recognizer has of a partition. `cluster` says
whether Kafka answers; `sides` puts them together by role.
"""
