"""Starling's own protocol: JSON text frames for control and results, binary frames for audio (``docs/protocol.md``)."""
