from __future__ import annotations

from contracts.audio_log_contract import LEAD, AudioLogContract
from starling.bus.memory import MemoryAudioLog


class TestMemoryAudioLog(AudioLogContract):
    def make(self, max_lead: int = LEAD) -> MemoryAudioLog:
        return MemoryAudioLog(max_lead=max_lead)
