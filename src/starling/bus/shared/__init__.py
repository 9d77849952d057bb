"""The bus of several processes on one host, over one anonymous piece of shared memory.

`layout` says where everything lies, `arena` makes and attaches it, `ownership` is the supervisor's side of it. `audio_log`,
`result_bus`, `directory` and `load_board` are the ports over it.
"""
