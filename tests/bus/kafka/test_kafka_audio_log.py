"""The contract of the audio log, on a real Kafka broker and a real Redis."""

from __future__ import annotations

from bus.kafka.rig import OneProcessKafkaLog, OnKafka
from contracts.audio_log_contract import LEAD, AudioLogContract
from starling.bus.memory import MemoryAudioLog


class TestKafkaAudioLog(OnKafka, AudioLogContract):
    reads_meanwhile = True
    controls = 100
    most = 3

    def make(self, max_lead: int = LEAD) -> OneProcessKafkaLog | MemoryAudioLog:
        return self.kafka_log(max_lead)
