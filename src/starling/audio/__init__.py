"""Everything between a client's bytes, or a file, and 16 kHz mono int16.

Live: ``open_decoder(format)`` gives an ``AudioDecoder`` with ``feed``, ``flush`` and ``fault``. Recorded:
``read_recording(file)``, and ``probe(file)`` for what it is. A container's reader (``wav``, ``ogg``, ``matroska``) runs on
``reading`` and writes into a ``Normaliser``; to add an encoding, write such a reader and name it in ``encodings``.
"""

from starling.audio.decoder import AudioDecoder
from starling.audio.encodings import open_decoder
from starling.audio.probe import Probe, probe
from starling.audio.recording import Recording, duration, read_recording

__all__ = ["AudioDecoder", "Probe", "Recording", "duration", "open_decoder", "probe", "read_recording"]
