"""``python -m chaos.brittle serve ...``: a server whose gateways are ended by compressed audio that says so."""

from __future__ import annotations

from starling.app.host import MODULES
from starling.cli import main
from starling.supervisor.launch import Role

if __name__ == "__main__":
    MODULES[Role.GATEWAY] = "chaos.brittle_gateway"
    main()
