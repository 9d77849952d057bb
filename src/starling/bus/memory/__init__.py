"""The bus of one process: its ports in memory, the twins of those over shared memory."""

from starling.bus.memory.audio_log import MemoryAudioLog
from starling.bus.memory.colleagues import MemoryColleagues
from starling.bus.memory.load_board import MemoryLoadBoard
from starling.bus.memory.notary import MemoryNotary
from starling.bus.memory.result_bus import MemoryResultBus
from starling.bus.memory.session_directory import MemorySessionDirectory
from starling.bus.memory.subscription import MemorySubscription
from starling.bus.memory.tally import MemoryTally
from starling.bus.memory.witness import MemoryWitness

__all__ = [
    "MemoryAudioLog",
    "MemoryColleagues",
    "MemoryLoadBoard",
    "MemoryNotary",
    "MemoryResultBus",
    "MemorySessionDirectory",
    "MemorySubscription",
    "MemoryTally",
    "MemoryWitness",
]
