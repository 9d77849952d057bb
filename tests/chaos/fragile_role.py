"""``python -m chaos.fragile_role gateway ...`` or ``recognizer ...``: a role that loud audio, or a certain packet, ends."""

from __future__ import annotations

from chaos.brittle_gateway import feed
from chaos.poisoned_worker import fragile
from starling.app import recognition
from starling.audio import AudioDecoder
from starling.cli import main

if __name__ == "__main__":
    recognition.load_engine = fragile
    AudioDecoder.feed = feed  # type: ignore[method-assign, assignment]
    main()
