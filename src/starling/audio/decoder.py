"""Any stream of bytes a client sends, to 16 kHz mono int16, as it arrives."""

from __future__ import annotations

from collections.abc import Callable

from starling.audio.normalise import Normaliser
from starling.audio.reading import Pieces, Reader
from starling.core.audio import Samples
from starling.core.errors import ClientError, IllegalTransition


class AudioDecoder:
    """One client's audio.

    Laws: the samples given in all, and the fault, depend on the bytes alone, not on how they were cut into feeds; audio that was
    decodable before a fault is never lost; whatever the bytes are, only ClientErrors come of them.

    So a fault is not raised by the call that meets it, which still has samples to return: look at ``fault`` after each call.
    Whoever does not is told by the next call, which raises it.

    What it holds is bounded (under 1 MB, whatever comes). What one ``feed`` returns is bounded by its length: at most 2 samples
    per byte of PCM, and 1920 per byte of Opus at the very worst (packets of one byte that say "120 ms of nothing"). Feed large
    messages in slices.
    """

    def __init__(self, reader: Callable[[Normaliser], Reader]) -> None:
        self._out = Normaliser()
        self._pieces = Pieces(reader(self._out))
        self._flushed = False
        self.fault: ClientError | None = None

    def feed(self, data: bytes) -> Samples:
        """The samples that ``data`` completed, perhaps none. Not writable where they are ``data``'s own memory.

        Raises the fault that an earlier call met.
        """
        return self._advance(lambda: self._pieces.feed(data))

    def flush(self) -> Samples:
        """The stream is over: the rest of the samples. ``fault`` tells if it ended in the middle of something.

        Raises the fault that an earlier call met.
        """
        samples = self._advance(self._pieces.end, last=True)
        self._flushed = True
        return samples

    def _advance(self, step: Callable[[], None], *, last: bool = False) -> Samples:
        if self.fault is not None:
            raise self.fault
        if self._flushed:
            raise IllegalTransition("an audio decoder takes nothing after flush(); open another")
        try:
            step()
        except ClientError as fault:
            self.fault = fault
        if last or self.fault is not None:
            self._out.finish()
        return self._out.take()
