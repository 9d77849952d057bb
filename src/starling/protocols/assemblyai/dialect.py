"""What the server needs to know before a client of AssemblyAI's streaming protocol speaks."""

from __future__ import annotations

from typing import Final

from starling.core.errors import StarlingError
from starling.protocols.assemblyai.adapter import AssemblyAIAdapter
from starling.protocols.dialects import Dialect, Refusal
from starling.protocols.foreign import Head


def credential(head: Head) -> str | None:
    """The key that is all of the header ``Authorization``, or behind ``Bearer``; or the ``token`` in the query."""
    shown = head.headers.get("authorization", "").strip()
    scheme, _, rest = shown.partition(" ")
    if scheme.lower() == "bearer" and rest:
        return rest.strip()
    return shown or next((value for name, value in head.query if name == "token" and value), None)


def refusal(error: StarlingError) -> Refusal:
    """As the other server refuses."""
    return Refusal({"error": error.message})


ASSEMBLYAI: Final = Dialect(
    name="assemblyai",
    adapter=AssemblyAIAdapter,
    paths=("/v3/ws",),
    credential=credential,
    has_keys=True,
    refusal=refusal,
)
