"""``starling transcribe`` with a scripted engine, and once with the real one."""

from __future__ import annotations

import io
import json
import os
import shutil
import wave
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from recordings import recording, recording_path
from starling.audio import Recording
from starling.cli import transcribing_all, transcribing_here
from starling.cli.entry import run
from starling.cli.exits import ExitCode
from starling.cli.transcribing import Job, plan
from starling.client.sample import REFERENCE, WORD_ERROR_LIMIT
from starling.client.word_errors import word_error_rate
from starling.core.audio import Samples
from starling.core.config import SessionConfig
from starling.core.errors import CorruptAudio, InvalidOption
from starling.core.jobs import Channels
from starling.engine.scripted import ScriptedEngine
from starling.recognizer import Recognizer
from starling.session.machine import Session
from starling.session.options import SegmentationOptions
from starling.transcriber.channel import Tools
from starling.vad.detector import Detector
from starling.vad.gate import GateOptions

BECKETT = str(recording_path("beckett"))
CITIES = str(recording_path("two_cities"))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recognition without the model: what it says depends on the audio, but means nothing."""

    def load() -> Tools:
        return Tools(engine=ScriptedEngine(), vad=Detector(), segmentation=SegmentationOptions(), gate=GateOptions())

    monkeypatch.setattr(transcribing_here, "load_tools", load)
    monkeypatch.setattr(transcribing_all, "cores", lambda: [0])  # all in this process


@pytest.fixture
def damaged(tmp_path: Path) -> str:
    file = tmp_path / "damaged.wav"
    file.write_bytes(b"RIFF, but nothing else")
    return str(file)


Output = Callable[[], tuple[str, str]]


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str]) -> Output:
    def read() -> tuple[str, str]:
        said = capsys.readouterr()
        return said.out, said.err

    return read


def test_every_source_has_a_target_of_its_own(tmp_path: Path) -> None:
    assert plan(["a/x.wav", "-"], ("srt", "json"), tmp_path / "out") == [
        Job("a/x.wav", (tmp_path / "out" / "x.srt", tmp_path / "out" / "x.json")),
        Job("-", (tmp_path / "out" / "stdin.srt", tmp_path / "out" / "stdin.json")),
    ]
    assert (tmp_path / "out").is_dir()
    assert plan(["a/x.wav", "b/x.mp3"], ("txt",), None) == [Job("a/x.wav"), Job("b/x.mp3")]
    kept = plan(["a/x.wav", "b/x.mp3", "b/y.mp3"], ("srt",), tmp_path)
    assert [job.targets for job in kept] == [(tmp_path / "x.wav.srt",), (tmp_path / "x.mp3.srt",), (tmp_path / "y.srt",)]
    with pytest.raises(InvalidOption, match=r"a/x.wav and b/x.wav would both be written to .*x.wav.vtt"):
        plan(["a/x.wav", "b/x.wav"], ("vtt",), tmp_path)
    with pytest.raises(InvalidOption, match="expected --output-dir for 2 recordings"):
        plan(["a/x.wav", "b/x.mp3"], ("vtt",), None)
    with pytest.raises(InvalidOption, match=r"expected --output-dir for several formats \(txt, srt\)"):
        plan(["a/x.wav"], ("txt", "srt"), None)


@pytest.mark.usefixtures("scripted")
def test_several_formats_are_written_of_one_pass(tmp_path: Path, output: Output) -> None:
    calls, texts = tmp_path / "calls", tmp_path / "texts"
    calls.mkdir()
    shutil.copy(BECKETT, calls)
    asked = ["transcribe", str(calls), "-o", str(texts), "--format", "srt,json", "--format", "txt"]
    assert run(asked) == 0
    assert output() == ("", "".join(f"starling: wrote {texts / 'beckett'}.{form}\n" for form in ("srt", "json", "txt")))
    assert run(asked) == 0
    assert output()[1] == "starling: 1 of 1 recordings are transcribed already; --again does them anew\n"
    (texts / "beckett.json").unlink()
    assert run(asked) == 0
    assert f"wrote {texts / 'beckett.json'}" in output()[1], "what is missing is done"


def test_a_format_that_there_is_not_is_named(output: Output) -> None:
    assert run(["transcribe", BECKETT, "--format", "srt,docx"]) == ExitCode.USAGE
    assert "--format must be one or more of txt, srt, vtt, tsv, json, got 'docx'" in output()[1]


@pytest.mark.usefixtures("scripted")
def test_the_forms_tell_the_same(tmp_path: Path, output: Output) -> None:
    for form in ("txt", "srt", "vtt", "tsv", "json"):
        assert run(["transcribe", BECKETT, "--format", form, "-o", str(tmp_path)]) == 0
        assert output() == ("", f"starling: wrote {tmp_path / 'beckett'}.{form}\n"), "no progress where there is no terminal"
    segments = json.loads((tmp_path / "beckett.json").read_text())["segments"]
    assert segments
    assert all(0 <= segment["start"] < segment["end"] <= 10 for segment in segments)
    words = " ".join(segment["text"] for segment in segments).split()
    assert (tmp_path / "beckett.txt").read_text().split() == words
    assert (tmp_path / "beckett.vtt").read_text().startswith("WEBVTT\n\n00:00:0")
    assert (tmp_path / "beckett.srt").read_text().startswith("1\n00:00:0")
    assert (tmp_path / "beckett.tsv").read_text().startswith("start\tend\ttext\n")
    assert len(list(tmp_path.iterdir())) == 5, "nothing is left over"


@pytest.mark.usefixtures("scripted")
def test_a_bad_file_does_not_stop_the_others(damaged: str, tmp_path: Path, output: Output) -> None:
    missing = str(tmp_path / "missing.wav")
    assert run(["transcribe", damaged, BECKETT, missing, "--format", "json"]) == 1
    out, err = output()
    assert [json.loads(line)["file"] for line in out.splitlines()] == [BECKETT]
    lines = err.splitlines()
    assert lines[0].startswith(f"starling: {damaged}: expected a recording")
    assert lines[1] == f"starling: {missing}: No such file or directory"
    assert lines[2] == "starling: 2 of 3 recordings failed"
    assert len(lines) == 3


@pytest.mark.usefixtures("scripted")
def test_a_file_that_was_there_is_said_to_be_replaced(tmp_path: Path, output: Output) -> None:
    (tmp_path / "beckett.txt").write_text("of old")
    assert run(["transcribe", BECKETT, "-o", str(tmp_path)]) == 0
    assert output() == ("", f"starling: replaced {tmp_path / 'beckett.txt'}\n")


@pytest.mark.usefixtures("scripted")
def test_several_texts_are_told_apart(output: Output) -> None:
    assert run(["transcribe", BECKETT, BECKETT]) == 0
    out, _ = output()
    assert out.count(f"==> {BECKETT} <==\n") == 2
    assert run(["transcribe", BECKETT]) == 0
    assert "==>" not in output()[0]


@pytest.mark.usefixtures("scripted")
def test_silence_is_said_to_have_no_speech(tmp_path: Path, output: Output) -> None:
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(64_000))
    assert run(["transcribe", str(silence)]) == 0
    assert output() == ("", f"starling: {silence}: no speech was heard\n")


@pytest.mark.usefixtures("scripted")
def test_standard_input_is_read_where_it_is_named(tmp_path: Path, output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {"-": io.BytesIO(recording_path("beckett").read_bytes()), BECKETT: BECKETT}
    monkeypatch.setattr(transcribing_here, "opened", sources.__getitem__)
    assert run(["transcribe", "-", "--format", "json"]) == 0
    piped, _ = output()
    assert run(["transcribe", BECKETT, "--format", "json"]) == 0
    named, _ = output()
    assert json.loads(piped)["segments"] == json.loads(named)["segments"] != []
    assert json.loads(piped)["file"] == "-"


@pytest.mark.usefixtures("scripted")
def test_a_directory_is_gone_on_with(tmp_path: Path, output: Output) -> None:
    recordings, texts = tmp_path / "recordings", tmp_path / "texts"
    (recordings / "monday").mkdir(parents=True)
    for name in ("a.wav", "monday/b.wav", "monday/notes.doc"):
        shutil.copy(BECKETT, recordings / name)
    command = ["transcribe", str(recordings), "-o", str(texts)]
    assert run(command) == 0
    assert output()[1].splitlines() == [f"starling: wrote {texts / 'a.txt'}", f"starling: wrote {texts / 'monday' / 'b.txt'}"]
    assert run(command) == 0
    assert output() == ("", "starling: 2 of 2 recordings are transcribed already; --again does them anew\n")
    os.utime(recordings / "a.wav", (4e9, 4e9))
    assert run(command) == 0
    assert output()[1].splitlines()[1:] == [f"starling: replaced {texts / 'a.txt'}"]
    assert run([*command, "--again"]) == 0
    assert len(output()[1].splitlines()) == 2


@pytest.mark.usefixtures("scripted")
def test_what_broke_off_is_no_transcript_that_is_done(tmp_path: Path, output: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    recordings, texts = tmp_path / "recordings", tmp_path / "texts"
    recordings.mkdir()
    shutil.copy(CITIES, recordings)

    def broken(opened: Recording, channels: Channels) -> Iterator[Sequence[Samples]]:
        yield [recording("two_cities")[:320_000]]
        raise CorruptAudio("cut off")

    command = ["transcribe", str(recordings), "-o", str(texts)]
    with monkeypatch.context() as patched:
        patched.setattr(transcribing_here, "blocks_of", broken)
        assert run(command) == 1
        assert output()[1].endswith("two_cities.wav: cut off\n")
        assert (texts / "two_cities.txt").read_text()
    assert run(command) == 0
    assert output()[1] == f"starling: replaced {texts / 'two_cities.txt'}\n"


def test_a_directory_without_recordings_is_said_to_be_one(tmp_path: Path, output: Output) -> None:
    (tmp_path / "notes.doc").write_text("none")
    assert run(["transcribe", str(tmp_path)]) == ExitCode.USAGE
    assert output()[1].startswith(f"starling: expected recordings in {tmp_path}, found none")


@pytest.mark.usefixtures("scripted")
def test_channels_are_written_apart(tmp_path: Path, output: Output) -> None:
    left = recording("beckett")
    right = np.roll(left, 40_000)
    call = tmp_path / "call.wav"
    with wave.open(str(call), "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
        file.writeframes(np.stack([left, right], axis=1).tobytes())
    assert run(["transcribe", str(call), "--channels", "separate", "--format", "json"]) == 0
    segments = json.loads(output()[0])["segments"]
    assert {segment["channel"] for segment in segments} == {0, 1}
    assert [segment["start"] for segment in segments] == sorted(segment["start"] for segment in segments)
    assert run(["transcribe", str(call), "--channels", "separate"]) == 0
    assert {line.partition(":")[0] for line in output()[0].splitlines()} == {"Channel 1", "Channel 2"}


@pytest.mark.model
def test_side_by_side_says_what_one_after_the_other_does(tmp_path: Path, damaged: str, output: Output) -> None:
    assert run(["transcribe", BECKETT, damaged, CITIES, "--jobs", "1", "--format", "json"]) == 1
    in_turn = output()
    assert run(["transcribe", BECKETT, damaged, CITIES, "--jobs", "2", "--format", "json"]) == 1
    side_by_side = output()
    assert side_by_side == in_turn
    assert [json.loads(line)["file"] for line in side_by_side[0].splitlines()] == [BECKETT, CITIES]


@pytest.mark.usefixtures("scripted")
def test_an_unwritable_target_is_an_error_of_its_file(tmp_path: Path, output: Output) -> None:
    (tmp_path / "beckett.txt").mkdir()
    assert run(["transcribe", BECKETT, "-o", str(tmp_path)]) == 1
    assert output() == ("", f"starling: {tmp_path / 'beckett.txt'}: Is a directory\n")


@pytest.mark.usefixtures("scripted")
def test_debug_shows_where_a_recording_failed(tmp_path: Path, output: Output) -> None:
    missing = str(tmp_path / "talk.wav")
    assert run(["--debug", "transcribe", missing]) == 1
    _, err = output()
    assert "Traceback (most recent call last)" in err
    assert err.endswith(f"starling: {missing}: No such file or directory\n")


@pytest.mark.model
def test_the_sample_is_transcribed_as_the_library_does_it(output: Output) -> None:
    assert run(["transcribe", CITIES]) == 0
    text, err = output()
    assert err == ""
    assert word_error_rate(REFERENCE, text) <= WORD_ERROR_LIMIT
    with Recognizer() as recognizer:
        finals = list(recognizer.transcribe(np.asarray(recording("two_cities")), SessionConfig()))
    assert len(text.splitlines()) == len(finals)


@pytest.mark.usefixtures("scripted")
def test_an_interrupt_is_no_failure_of_the_recording(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(_: object, __: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Session, "hear", interrupted)
    assert run(["transcribe", BECKETT]) == ExitCode.INTERRUPTED
    assert capsys.readouterr().err == ""
