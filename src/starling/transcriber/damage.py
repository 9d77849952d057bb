"""What whoever reads the text of a recording must know of the recording. Pure."""

from __future__ import annotations

from typing import Final

from starling.core.errors import ClientError
from starling.core.jobs import JobWarning

COMMON: Final = 2
"""Pieces that may be broken at the start, or where something was cut, and cost milliseconds."""

LEAST: Final = 1.0
PART: Final = 0.02
"""Seconds, and the part of the whole, that may be missing: encoders round, and pad."""

NO_SPEECH: Final = "no_speech"


def damage(
    *, taken: float, promised: float | None, lost: int, broke: ClientError | None, speech: bool, unfinished: bool = False
) -> tuple[JobWarning, ...]:
    """Of a recording of which ``taken`` seconds were heard. ``promised``: seconds that its header counts.

    ``unfinished``: it lacks the mark that ends files of its kind. ``lost``: pieces that could not be decoded. ``broke``: why
    nothing after ``taken`` could be read. ``speech``: whether any was found.
    """
    found: list[JobWarning] = []
    if broke is not None:
        whole = f" of {promised:.1f} s" if promised is not None and promised > taken else ""
        message = f"the recording cannot be read beyond {taken:.1f} s{whole}: {broke.message}"
        found.append(JobWarning(code="damaged", message=message, at=taken))
    elif promised is not None and promised - taken > max(LEAST, PART * promised):
        message = f"the recording breaks off at {taken:.1f} s of {promised:.1f} s: the file is incomplete"
        found.append(JobWarning(code="breaks_off", message=message, at=taken))
    elif unfinished:
        message = (
            f"the recording breaks off at {taken:.1f} s: the mark that ends an Ogg file is missing, and what followed with it"
        )
        found.append(JobWarning(code="breaks_off", message=message, at=taken))
    if lost > COMMON:
        message = f"{lost} pieces of the recording are damaged: what was said in them may be missing"
        found.append(JobWarning(code="gaps", message=message))
    if not speech:
        found.append(JobWarning(code=NO_SPEECH, message=f"nobody was heard to speak in {taken:.1f} s of sound"))
    return tuple(found)
