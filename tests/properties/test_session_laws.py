"""The laws of ARCHITECTURE.md that a session must keep whatever it is given."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scripted_session import CONFIG, Driver, conversation
from starling.core.audio import Samples, samples
from starling.core.records import Checkpoint, Configure, Finalize, Gap
from starling.core.transcript import SessionDone, SpeechEnded, SpeechStarted, Transcript
from starling.engine.scripted import scripted_text
from starling.session.options import SegmentationOptions

durations = st.floats(0.0, 2.5).map(lambda d: round(d, 3))
conversations = st.builds(lambda ds, seed: conversation(*ds, seed=seed), st.lists(durations, min_size=1, max_size=6), st.integers(0, 9))
cuts = st.lists(st.integers(0, samples(12.0)), max_size=12)
SHORT = SegmentationOptions(max_segment=2.0, min_segment=1.0, idle_checkpoint=1.0)


def heard(sound: Samples, at: list[int] | None = None, options: SegmentationOptions = SHORT) -> Driver:
    driver = Driver(options=options)
    driver.play(sound, [cut for cut in at or [] if cut < len(sound)])
    driver.end()
    return driver


@given(conversations, cuts)
def test_law_1_chunking_does_not_change_segments_nor_finals(sound: Samples, at: list[int]) -> None:
    whole, chunked = heard(sound), heard(sound, at)
    lasting = [e for e in whole.events if not (isinstance(e, Transcript))]
    assert [e for e in chunked.events if not (isinstance(e, Transcript))] == lasting
    assert [(f.segment_id, f.text, f.start, f.end, f.words) for f in chunked.finals] == [
        (f.segment_id, f.text, f.start, f.end, f.words) for f in whole.finals
    ]
    assert chunked.commits == whole.commits


@given(conversations)
def test_law_2_a_final_is_what_the_engine_says_of_its_samples(sound: Samples) -> None:
    driver = heard(sound)
    for final in driver.finals:
        stream = driver.streams[final.segment_id]
        snapshot = stream.snapshot()  # type: ignore[attr-defined]
        assert final.text == scripted_text(snapshot.samples)


@given(conversations, cuts, st.data())
def test_law_4_a_session_restored_at_any_checkpoint_says_the_rest(sound: Samples, at: list[int], data: st.DataObject) -> None:
    first = heard(sound, at)
    if not first.commits:
        return
    index = data.draw(st.integers(0, len(first.commits) - 1))
    checkpoint = first.commits[index]
    again = Driver(checkpoint=checkpoint, options=SHORT)
    again.play(sound[checkpoint.position :], start=checkpoint.position)
    again.end()
    said = {f.segment_id for f in first.finals if f.segment_id < checkpoint.next_segment}
    assert [f for f in first.finals[len(said) :]] == again_finals(first, again)
    assert again.events[-1] == first.events[-1]


def again_finals(first: Driver, again: Driver) -> list[Transcript]:
    """Revisions may differ: partials are not part of what must be repeated."""
    revisions = {f.segment_id: f.revision for f in first.finals}
    from dataclasses import replace

    return [replace(f, revision=revisions.get(f.segment_id, f.revision)) for f in again.finals]


@given(conversations, cuts, st.data())
def test_law_5_revisions_grow_and_nothing_follows_a_final(sound: Samples, at: list[int], data: st.DataObject) -> None:
    driver = Driver(options=SHORT, withhold=True)
    driver.play(sound, [cut for cut in at if cut < len(sound)])
    driver.end()
    while driver.withheld:
        # A session's jobs are answered in any order but that of one segment.
        firsts = {segment: i for i, (segment, _) in reversed(list(enumerate(driver.withheld)))}
        driver.answer(data.draw(st.sampled_from(sorted(firsts.values()))))
    last: dict[int, Transcript] = {}
    order = []
    for transcript in driver.transcripts:
        before = last.get(transcript.segment_id)
        if before is not None:
            assert not before.is_final
            assert transcript.revision == before.revision + 1
        else:
            assert transcript.revision == 1
        assert transcript.text.startswith(transcript.stable_text)
        last[transcript.segment_id] = transcript
        if transcript.is_final:
            order.append(transcript.segment_id)
    started = [e.segment_id for e in driver.events if isinstance(e, SpeechStarted)]
    assert order == started == list(range(len(started)))
    assert driver.events[-1] == SessionDone("s", len(sound), len(order))


@given(conversations, cuts)
def test_segments_never_overlap_and_stay_inside_the_audio(sound: Samples, at: list[int]) -> None:
    driver = heard(sound, at)
    position = 0
    ends = {e.segment_id: e for e in driver.events if isinstance(e, SpeechEnded)}
    for final in driver.finals:
        assert position <= final.start < final.end <= len(sound)
        assert ends[final.segment_id].at == final.end <= ends[final.segment_id].noticed
        position = final.end


@settings(max_examples=50)
@given(
    st.lists(
        st.one_of(
            durations.map(lambda d: ("silence", d)),
            durations.map(lambda d: ("speech", d)),
            st.sampled_from([("finalize", 0.0), ("configure", 0.0), ("gap", 0.7)]),
        ),
        max_size=14,
    )
)
def test_any_order_of_records_ends_in_a_final_per_segment(script: list[tuple[str, float]]) -> None:
    driver = Driver(options=SHORT)
    position = 0
    for index, (what, duration) in enumerate(script):
        match what:
            case "finalize":
                driver.tell(Finalize("s", index))
            case "configure":
                driver.tell(Configure("s", index, CONFIG.updated(endpoint_silence=0.2 + index / 10)))
            case "gap":
                driver.tell(Gap("s", index, position, samples(duration)))
                position += samples(duration)
            case _:
                sound = conversation(*((duration,) if what == "silence" else (0.0, duration)), seed=index)
                driver.audio(sound, position)
                position += len(sound)
    driver.end()
    started = [e.segment_id for e in driver.events if isinstance(e, SpeechStarted)]
    assert [f.segment_id for f in driver.finals] == started
    assert driver.events[-1] == SessionDone("s", position, len(started))
    assert all(a.position <= b.position for a, b in zip(driver.commits, driver.commits[1:], strict=False))


@given(st.floats(3.0, 60.0))
def test_law_7_silence_is_forgotten(duration: float) -> None:
    driver = Driver(options=SHORT)
    driver.play(conversation(duration), list(range(0, samples(duration), 1600)))
    assert driver.commits
    assert samples(duration) - driver.commits[-1].position < samples(1.5)
    assert driver.commits[-1].next_segment == 0
    assert isinstance(driver.commits[-1], Checkpoint)
