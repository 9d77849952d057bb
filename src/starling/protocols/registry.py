"""Every dialect of another server that Starling speaks."""

from __future__ import annotations

from typing import Final

from starling.protocols.assemblyai.dialect import ASSEMBLYAI
from starling.protocols.deepgram.dialect import DEEPGRAM
from starling.protocols.dialects import Dialect
from starling.protocols.funasr import FUNASR
from starling.protocols.openai_realtime.dialect import OPENAI_REALTIME
from starling.protocols.riva import RIVA
from starling.protocols.sherpa import SHERPA
from starling.protocols.vosk import VOSK
from starling.protocols.whisperlive import WHISPERLIVE
from starling.protocols.wyoming import WYOMING

DIALECTS: Final[tuple[Dialect, ...]] = (
    FUNASR,
    VOSK,
    SHERPA,
    WHISPERLIVE,
    WYOMING,
    RIVA,
    ASSEMBLYAI,
    DEEPGRAM,
    OPENAI_REALTIME,
)
