"""Python's search for unreachable cycles, in a server's process."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 20_000
"""Objects that may be made before the young ones are looked through; Python's own 700 make every tenth of the CPU go there.

What a session leaves behind is freed by its reference counts; cycles are left by errors and by tasks, some kilobytes each.
"""


def collect_rarely() -> None:
    """To be called when everything is loaded: that stays, and no collection looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 10)
