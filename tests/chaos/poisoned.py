"""``python -m chaos.poisoned serve ...``: a server whose workers are ended by audio that is as loud as can be."""

from __future__ import annotations

from starling.app.host import MODULES
from starling.cli import main
from starling.supervisor.launch import Role

if __name__ == "__main__":
    MODULES[Role.WORKER] = "chaos.poisoned_worker"
    main()
