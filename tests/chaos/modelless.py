"""``python -m chaos.modelless serve ...``: a server whose model is missing."""

from __future__ import annotations

from starling.app.host import MODULES
from starling.cli import main
from starling.supervisor.launch import Role

if __name__ == "__main__":
    MODULES[Role.WORKER] = "chaos.modelless_worker"
    main()
