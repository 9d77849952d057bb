"""The tree of all settings, whose groups are in ``groups``.

``docs/configuration.md`` is written from it. No package sees this tree: the composition root hands each its own Options.
"""

from __future__ import annotations

from starling.config.groups.edge import Auth, Client, Limits, Server
from starling.config.groups.group import Group
from starling.config.groups.jobs import Jobs
from starling.config.groups.platform import Bus, Processes
from starling.config.groups.recognition import AudioLog, Engine, Gate, Scheduler, Segmentation, Session
from starling.config.groups.telling import Log, Telemetry


class Settings(Group):
    """The whole tree."""

    server: Server = Server()
    auth: Auth = Auth()
    limits: Limits = Limits()
    session: Session = Session()
    segmentation: Segmentation = Segmentation()
    scheduler: Scheduler = Scheduler()
    engine: Engine = Engine()
    gate: Gate = Gate()
    audio_log: AudioLog = AudioLog()
    client: Client = Client()
    processes: Processes = Processes()
    jobs: Jobs = Jobs()
    bus: Bus = Bus()
    log: Log = Log()
    telemetry: Telemetry = Telemetry()
