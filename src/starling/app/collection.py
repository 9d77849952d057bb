"""Python's search for unreachable cycles, in a server's process."""

from __future__ import annotations

import gc
from typing import Final

YOUNG: Final = 20_000
"""Objects that may be made before the young ones are looked through; Python's own 700 make every tenth of the CPU go there.

What a recognizer's session leaves behind is freed by its reference counts; cycles are left by errors, by tasks, and by every
connection in the web server's libraries, some kilobytes each.
"""

OLDER: Final = (5, 2)
"""So many collections of the young until the older are looked through, and of those until all are: rarer, and what a thousand
connections left would still be there. There is little to look through, since what is loaded is left out.
"""


def collect_rarely() -> None:
    """To be called when everything is loaded: that stays, and no collection looks at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, *OLDER)
