"""Log events on stderr: one JSON object per line for machines, or a readable line on a terminal.

::

    log = get_logger(__name__)
    with log_context(session_id=session_id, trace_id=trace_id):
        log.info("session opened", language="en")

An event is a fixed phrase; what varies goes into keys. Every line passes ``discretion``, so none can hold speech. The loggers of
libraries (uvicorn, asyncio) write through the same handler, never below INFO: at DEBUG, websockets logs every message it carries.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, TextIO, TypedDict, Unpack, cast

import structlog
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.types import EventDict, Processor, WrappedLogger

from starling.telemetry.discretion import described, discreet
from starling.telemetry.metrics import Metrics

OURS: Final = "starling"
"""The name above all of Starling's own loggers."""

QUERY: Final = re.compile(r"\?[^\s\"']*")
"""The query of a URL in a library's message: clients put tokens and hot words there."""


class LogLevel(StrEnum):
    """The least important events that are shown."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """``AUTO``: text on a terminal, JSON elsewhere."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """``level``: of Starling's own loggers."""

    level: LogLevel = LogLevel.INFO
    format: LogFormat = LogFormat.AUTO


class LogContext(TypedDict, total=False):
    """What ties an event to what it is about.

    ``trace_id`` and ``span_id``: as W3C Trace Context writes them. ``sequence`` counts a session's messages, ``version`` a
    segment's revisions.
    """

    session_id: str
    trace_id: str
    span_id: str
    sequence: int
    segment: int
    version: int
    worker_id: str
    model_version: str


def log_context(**keys: Unpack[LogContext]) -> AbstractContextManager[None]:
    """Add ``keys`` to every event within the ``with`` block, in this task and those it starts. Empty ones say nothing."""
    said = {key: value for key, value in keys.items() if value != ""}
    return cast("AbstractContextManager[None]", bound_contextvars(**said))


def get_logger(name: str) -> BoundLogger:
    """The logger of module ``name`` (its ``__name__``). Works without ``configure_logging``: a program that uses Starling as a
    library gets its events through the standard ``logging`` module.
    """
    logger: BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[structlog.stdlib.filter_by_level, merge_contextvars, _with_discretion, ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
        cache_logger_on_first_use=True,
    )
    return logger


def configure_logging(
    options: LogOptions, *, metrics: Metrics | None = None, stream: TextIO | None = None, process: str = ""
) -> None:
    """Send the events of the whole process to ``stream`` (stderr if None). Calling it again replaces the earlier configuration.

    ``process``: its name where several write to one stream; every event has it then.

    Warnings and uncaught exceptions become events too, so that in JSON every line of stderr is an object. ``metrics`` counts the
    fields that were dropped as speech. Run uvicorn with ``log_config=None``, or it installs handlers of its own.
    """
    stream = stream or sys.stderr
    as_text = options.format is LogFormat.TEXT or (options.format is LogFormat.AUTO and stream.isatty())
    handler = _Handler(stream)
    handler.setFormatter(_formatter(metrics, process, as_text=as_text, colors=stream.isatty()))
    root = logging.getLogger()
    for earlier in [h for h in root.handlers if isinstance(h, _Handler)]:
        root.removeHandler(earlier)
    root.addHandler(handler)
    own = logging.getLevelNamesMapping()[options.level.upper()]
    root.setLevel(max(own, logging.INFO))
    logging.getLogger(OURS).setLevel(own)
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # requests are counted, not listed
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = _log_uncaught_in_thread


class _Handler(logging.StreamHandler[TextIO]):
    """Marks the handler that ``configure_logging`` installed."""


def _formatter(metrics: Metrics | None, process: str, *, as_text: bool, colors: bool) -> logging.Formatter:
    text: list[Processor] = [_lay_out_exception, structlog.dev.ConsoleRenderer(colors=colors, sort_keys=False)]
    json: list[Processor] = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    return ProcessorFormatter(
        processors=[_Head(metrics, process, "%H:%M:%S" if as_text else None), *(text if as_text else json)],
        foreign_pre_chain=[_first_line, _with_discretion],
    )


def _with_discretion(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Our own events pass this in the logger, so that a handler that is not ours gets no speech either."""
    meta = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    exc_info = event.pop("exc_info", None)
    event.pop("stack_info", None)
    kept = discreet(event)
    error = _error_of(exc_info)
    if error is not None:
        kept["exception"] = described(error)
    return kept | meta


def _error_of(exc_info: Any) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, error, _):
            return cast("BaseException | None", error)
        case _:
            return sys.exc_info()[1] if exc_info else None


def _first_line(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Of a library's message the first line, without URL queries. On the second asyncio puts the repr of a task, with its result.

    Of a traceback that was logged as text, it is the last line that says what happened.
    """
    lines = str(event["event"]).strip().splitlines() or [""]
    event["event"] = QUERY.sub("?…", lines[-1] if lines[0].startswith("Traceback") else lines[0])
    return event


class _Head:
    """Puts time, level, event and process first. Counts what discretion refused."""

    def __init__(self, metrics: Metrics | None, process: str, time_format: str | None) -> None:
        self._metrics = metrics
        self._process = {"process": process} if process else {}
        self._time_format = time_format

    def __call__(self, _: WrappedLogger, __: str, event: EventDict) -> EventDict:
        record: logging.LogRecord = event.pop("_record")
        del event["_from_structlog"]
        if self._metrics is not None:
            self._metrics.log_fields_refused.inc(len(event.get("refused", ())))
        at = datetime.fromtimestamp(record.created, UTC)
        shown = at.astimezone().strftime(self._time_format) if self._time_format else at.isoformat(timespec="milliseconds")
        head = {"timestamp": shown, "level": record.levelname.lower(), "event": event.pop("event"), "logger": record.name}
        return head | self._process | dict(event)


def _lay_out_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """On a terminal an error stands below its line, frame by frame."""
    error = event.get("exception")
    if isinstance(error, dict) and "frames" in error:
        event["exception"] = "\n".join(_error_lines(error, "  "))
    elif error is not None:
        event["exception"] = f"  {error}"
    return event


def _error_lines(error: Mapping[str, Any], indent: str) -> list[str]:
    lines = [f"{indent}{error['type']}: {error['message']}", *(f"{indent}  at {frame}" for frame in reversed(error["frames"]))]
    for member in error.get("errors", ()):
        lines += _error_lines(member, indent + "  ")
    if "cause" in error:
        lines += [f"{indent}because of", *_error_lines(error["cause"], indent)]
    return lines


def _log_uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    logging.getLogger(OURS).critical("uncaught exception", exc_info=error)


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        logging.getLogger(OURS).critical("uncaught exception in a thread", exc_info=args.exc_value)
