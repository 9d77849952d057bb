"""NVIDIA's own Python client for Riva against this server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from audio.streams import wav
from protocols.dialect_server import native_texts, speaking
from recordings import recording
from starling.app import Running

pytestmark = [pytest.mark.model, pytest.mark.filterwarnings("ignore:Protobuf gencode version")]

riva = pytest.importorskip("riva.client", reason="make setup-dev installs it")


def streamed(service: Any, file: Path, shown: Path) -> None:
    """As its script transcribe_file does: the file with its header, and its encoding not said."""
    config = riva.StreamingRecognitionConfig(
        config=riva.RecognitionConfig(
            language_code="en-US", max_alternatives=1, enable_automatic_punctuation=True, enable_word_time_offsets=True
        ),
        interim_results=True,
    )
    riva.add_audio_file_specs_to_config(config, file)
    riva.add_word_boosting_to_config(config, ["Beckett"], 20.0)
    riva.add_endpoint_parameters_to_config(config, 0, 0.0, 500, 0, 0.0, 0.0)
    with riva.AudioChunkFileIterator(file, 1600) as chunks:
        riva.print_streaming(service.streaming_response_generator(chunks, config), shown, show_intermediate=True)


def test_its_own_client_reads_what_starling_s_own_reads(tmp_path: Path) -> None:
    sound = recording("beckett")
    file, shown = tmp_path / "beckett.wav", tmp_path / "shown.txt"
    file.write_bytes(wav(sound.tobytes()))

    async def scenario(server: Running, url: str) -> None:
        native = await native_texts(server, sound)
        auth = riva.Auth(uri=f"127.0.0.1:{urlsplit(url).port}")
        service = riva.ASRService(auth)
        try:
            await asyncio.to_thread(streamed, service, file, shown)
            finals = [line[3:].strip() for line in shown.read_text().splitlines() if line.startswith("## ")]
            assert " ".join(finals) == " ".join(native)
            config = riva.RecognitionConfig(language_code="en-US", enable_automatic_punctuation=True)
            riva.add_audio_file_specs_to_config(config, file)
            response = await asyncio.to_thread(service.offline_recognize, file.read_bytes(), config)
            assert "".join(it.alternatives[0].transcript for it in response.results).strip() == " ".join(native)
        finally:
            auth.channel.close()

    speaking("riva", scenario)
