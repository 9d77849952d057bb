"""Scribes as processes of their own: ``python -m starling.app.scribe_process``, for a transcriber to run, is the template that
they are copied from. A copy does one recording and ends.
"""

from __future__ import annotations

import socket
import sys

import msgspec

from starling.app.collection import collect_rarely
from starling.app.options import gate_options, log_options, segmentation_options
from starling.app.recognition import load_models
from starling.config.settings import Settings
from starling.core.errors import StarlingError
from starling.supervisor.copying import await_launch
from starling.supervisor.launch import receive_launch
from starling.supervisor.presence import Said
from starling.telemetry.lineage import end_with
from starling.telemetry.logs import configure_logging, get_logger
from starling.transcriber.channel import Tools
from starling.transcriber.confinement import Confinement, stand_back
from starling.transcriber.messages import GREETING
from starling.transcriber.scribe import write

log = get_logger(__name__)

NAME = "scribe"


def main() -> None:
    """Load the models, once, and let each copy do what the socket that it is given asks for."""
    launch = receive_launch()
    settings = Settings.model_validate_json(bytes(launch.settings))
    if settings.jobs.idle_only:
        stand_back()
    configure_logging(log_options(settings), process=NAME)
    with socket.socket(fileno=launch.requests) as requests:
        try:
            models = load_models(settings)
            collect_rarely()
            number = await_launch(requests, msgspec.json.encode(Said()))
        except StarlingError as error:
            requests.send(msgspec.json.encode(Said(code=error.code, message=error.message)))
            log.error("process cannot work", code=error.code, message=error.message)  # noqa: TRY400 - it says all there is
            sys.exit(1)
    with socket.socket(fileno=number) as sock:
        if not sock.recv(len(GREETING)):  # the transcriber knows this process before it says anything
            return
        end_with(launch.parent, NAME)
        sock.sendall(GREETING)
        tools = Tools(
            engine=models.engine, vad=models.vad, segmentation=segmentation_options(settings), gate=gate_options(settings)
        )
        write(sock, tools, Confinement(settings.jobs.memory_limit_mb << 20, idle_only=settings.jobs.idle_only))


if __name__ == "__main__":
    main()
