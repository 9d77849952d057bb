"""Jobs in one Redis, which gateways and transcribers of many hosts share.

`writing` says what is kept where, and what a step changes there; `scripts` is what Redis does at once; `connection` is the way
there. `store` is the port on top, and `looking` its half that changes nothing.
"""
