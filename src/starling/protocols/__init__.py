"""Dialects: each turns a client's frames into the verbs of ``protocols.verbs`` and session events into its own frames. No I/O."""
