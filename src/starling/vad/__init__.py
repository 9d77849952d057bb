"""Who is speaking when: Silero and WebRTC behind the ``Vad`` port, and the gate that keeps long silence off the log."""
