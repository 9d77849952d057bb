"""Deepgram's streaming protocol: a query of options, binary audio, JSON results (``docs/protocols/deepgram.md``)."""
