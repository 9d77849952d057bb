"""Talk to a Starling server: open a session, send audio, read captions.

::

    async with connect("ws://127.0.0.1:8000") as session:
        await session.send(samples)
        await session.end()
        async for message in session:
            ...

The names below are the library; the other modules show captions (``captions``, ``terminal``) and bring audio in (``pacing``,
``microphone``).
"""

from starling.client.connection import connect
from starling.client.conversation import converse, transcribe_stream
from starling.client.errors import ProtocolMismatch, Refused, SessionAborted, SessionLost, Unreachable
from starling.client.session import Session

__all__ = [
    "ProtocolMismatch",
    "Refused",
    "Session",
    "SessionAborted",
    "SessionLost",
    "Unreachable",
    "connect",
    "converse",
    "transcribe_stream",
]
