from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from typing import Any

import numpy as np
import pytest

from starling.core.transcript import Word
from starling.telemetry.logs import LogFormat, LogLevel, LogOptions, configure_logging, get_logger, log_context
from starling.telemetry.metrics import Metrics

SPEECH = "it was the best of times"
JSON = LogOptions(format=LogFormat.JSON)
TEXT = LogOptions(format=LogFormat.TEXT)

log = get_logger("starling.tests")


def fail(error: Exception) -> None:
    raise error


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_an_event_is_one_json_object(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    log.info("session opened", language="en", name="x", args=(1, 2))
    (line,) = lines(stream)
    assert list(line)[:4] == ["timestamp", "level", "event", "logger"]
    assert (line["level"], line["event"], line["logger"]) == ("info", "session opened", "starling.tests")
    assert (line["language"], line["name"], line["args"]) == ("en", "x", [1, 2])


def test_context_is_bound_and_unbound(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    with log_context(session_id="s1", trace_id="t1", segment=3):
        with log_context(segment=4, version=1, sequence=9, worker_id="w", model_version="m"):
            log.info("inner")
        log.info("outer")
    log.info("outside")
    inner, outer, outside = lines(stream)
    assert (
        inner | {"session_id": "s1", "segment": 4, "version": 1, "sequence": 9, "worker_id": "w", "model_version": "m"} == inner
    )
    assert (outer["trace_id"], outer["segment"]) == ("t1", 3)
    assert "session_id" not in outside


@pytest.mark.parametrize("options", [JSON, TEXT], ids=["json", "text"])
def test_speech_never_reaches_the_stream(options: LogOptions, stream: io.StringIO) -> None:
    metrics = Metrics()
    configure_logging(options, metrics=metrics, stream=stream)
    log.info("decoded", text=SPEECH, word=Word(SPEECH, 0, 1), sound=SPEECH.encode(), pcm=np.zeros(3), nested={"words": [SPEECH]})
    log.info("heard %s", SPEECH)
    try:
        int(SPEECH)
    except ValueError:
        log.exception("failed")
    assert SPEECH not in stream.getvalue()
    assert metrics.registry.get_sample_value("starling_log_fields_refused_total") == 6


def test_an_exception_is_one_field_of_one_line(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    try:
        fail(RuntimeError("no\nsuch thing"))
    except RuntimeError as error:
        log.exception("failed", error="mine")
        log.error("failed", exc_info=error)  # noqa: TRY400 (the other way to pass an error)
    first, second = lines(stream)
    assert first["exception"] == second["exception"]
    assert (first["exception"]["type"], first["exception"]["message"]) == ("RuntimeError", "no\\nsuch thing")
    assert first["error"] == "mine"


def test_text_lays_an_exception_out_below_its_line(stream: io.StringIO) -> None:
    configure_logging(TEXT, stream=stream)
    try:
        try:
            fail(OSError(2, "No such file"))
        except OSError as error:
            raise ExceptionGroup("all", [RuntimeError("one")]) from error
    except ExceptionGroup:
        log.exception("failed")
    log.info("told", exception="by hand")
    shown = stream.getvalue()
    assert "  ExceptionGroup: all (1 sub-exception)\n    at " in shown
    assert "    RuntimeError: one\n  because of\n" in shown
    assert "  FileNotFoundError: [Errno 2] No such file\n" in shown
    assert "\n  by hand\n" in shown
    assert "\x1b" not in shown


def test_libraries_write_through_the_same_formatter(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    logging.getLogger("uvicorn.error").info(
        '%s - "WebSocket %s" [accepted]', "192.0.2.1:5", f"/v1/stream?token=s3cret&hot={SPEECH[:2]}"
    )
    logging.getLogger("asyncio").error("Task exception was never retrieved\nfuture: <Task finished result='%s'>", SPEECH)
    logging.getLogger("uvicorn.error").error("Traceback (most recent call last):\n  File x\nOSError: address in use\n")
    upgrade, task, startup = lines(stream)
    assert upgrade["event"] == '192.0.2.1:5 - "WebSocket /v1/stream?…" [accepted]'
    assert task["event"] == "Task exception was never retrieved"
    assert startup["event"] == "OSError: address in use"


def test_libraries_never_log_below_info(stream: io.StringIO) -> None:
    configure_logging(LogOptions(level=LogLevel.DEBUG, format=LogFormat.JSON), stream=stream)
    logging.getLogger("websockets.server").debug("> TEXT %r", SPEECH)
    logging.getLogger("uvicorn.access").info("GET /?q=%s", SPEECH)
    log.debug("mine")
    assert [line["event"] for line in lines(stream)] == ["mine"]


def test_the_level_holds(stream: io.StringIO) -> None:
    configure_logging(LogOptions(level=LogLevel.ERROR, format=LogFormat.JSON), stream=stream)
    log.warning("quiet")
    logging.getLogger("uvicorn.error").warning("quiet")
    log.error("loud")
    assert [line["event"] for line in lines(stream)] == ["loud"]


def test_configuring_again_replaces(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=io.StringIO())
    configure_logging(JSON, stream=stream)
    log.info("once")
    assert len(lines(stream)) == 1


def test_warnings_and_uncaught_errors_are_events(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn("careful", stacklevel=1)
    sys.excepthook(RuntimeError, RuntimeError("main"), None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    warned, main, threaded = lines(stream)
    assert "careful" in warned["event"]
    assert main["exception"]["message"] == "main"
    assert threaded["exception"]["type"] == "ZeroDivisionError"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_auto_is_text_on_a_terminal_and_json_elsewhere(stream: io.StringIO) -> None:
    configure_logging(LogOptions(), stream=stream)
    log.info("machine")
    terminal = Terminal()
    configure_logging(LogOptions(), stream=terminal)
    log.info("person")
    assert lines(stream)[0]["event"] == "machine"
    assert terminal.getvalue()[0] != "{"
    assert "person" in terminal.getvalue()


def test_without_configuration_the_standard_library_gets_discreet_events(caplog: pytest.LogCaptureFixture) -> None:
    log.warning("decoded", text=SPEECH, segment=3)
    assert SPEECH not in caplog.text
    assert "'segment': 3" in caplog.text


def test_of_several_processes_each_says_whose_an_event_is(stream: io.StringIO) -> None:
    configure_logging(JSON, stream=stream, process="worker-1")
    log.info("ready")
    logging.getLogger("uvicorn.error").error("gone")
    assert [line["process"] for line in lines(stream)] == ["worker-1", "worker-1"]
