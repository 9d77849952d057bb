"""``python -m chaos.patient_role gateway ...`` or ``recognizer ...``: a role that waits for answers, and for who got a ticket,
as long as it takes.
"""

from __future__ import annotations

from patience import PATIENCE
from starling.auth import tickets
from starling.bus.redis.link import Link
from starling.cli import main

if __name__ == "__main__":
    Link.prompt = PATIENCE
    tickets.LIFETIME = round(PATIENCE)  # type: ignore[misc]
    main()
