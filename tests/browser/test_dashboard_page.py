"""The dashboard in every state it can be in: empty, at work, refused, offline; by keyboard, on a phone, by day and by night."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.console_page import Console
from browser.dashboard_stub import Api, job, problem
from browser.stub_server import StubServer
from browser.test_console_page import SMALL_TARGETS, TEXT_COLOURS, contrast, settle

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>\u202egpj.wav"

EVERY = [job(number, status) for number, status in enumerate(("queued", "running", "done", "failed", "cancelled"), 1)]

SEGMENT: dict[str, Any] = {
    "id": 0,
    "channel": 0,
    "start": 0.5,
    "end": 2.0,
    "text": "It <b>was</b>",
    "confidence": 0.9,
    "words": [
        {"word": "It", "start": 0.5, "end": 0.8, "confidence": 0.9},
        {"word": "<b>was</b>", "start": 0.9, "end": 2.0, "confidence": 0.2},
    ],
}


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def dashboard(context: BrowserContext, stub: StubServer, api: Api) -> Any:
    console = Console(context.new_page(), f"{stub.url}dashboard")
    api.install(console.page)
    console.allow("Failed to load resource")  # what is refused on purpose
    yield console
    console.check()


def headings(page: Page) -> list[str]:
    return [one for one in page.get_by_role("heading").all_inner_texts() if one]


def test_a_new_server_says_what_to_do(dashboard: Console) -> None:
    page = dashboard.open()
    expect(page.get_by_role("heading", name="No recordings yet")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Connected")).to_be_visible()
    with page.expect_file_chooser():
        page.get_by_role("button", name="Choose a recording").click()


def test_every_status_is_told_apart_and_offers_what_works(dashboard: Console, api: Api) -> None:
    api.jobs = EVERY
    page = dashboard.open()
    rows = page.locator("#rows .job")
    expect(rows).to_have_count(5)
    texts = [row.locator(".state").inner_text() for row in rows.all()]
    assert texts == ["Waiting", "42 %", "Done", "Failed", "Cancelled"]
    verbs = [[one.get_attribute("data-verb") for one in row.locator(".acts button").all()] for row in rows.all()]
    assert verbs == [["cancel", "delete"], ["cancel", "delete"], ["delete"], ["retry", "delete"], ["retry", "delete"]]
    expect(page.get_by_role("button", name="Retry talk 4.wav")).to_be_visible()
    expect(page.get_by_text("the recording breaks off")).to_be_visible()
    expect(page.locator("#filter [data-status=''] .count")).to_have_text("5")


def test_names_and_words_are_text_whatever_is_in_them(dashboard: Console, api: Api) -> None:
    api.jobs = [job(1, name=HOSTILE), job(2, "failed", name=HOSTILE, error={"code": "x", "message": HOSTILE, "retryable": True})]
    api.segments = {api.jobs[0]["task_id"]: [SEGMENT]}
    page = dashboard.open()
    page.locator(".job-link").first.click()
    expect(page.locator(".word").nth(1)).to_have_text("<b>was</b>")
    expect(page.locator("#job-name")).to_have_text(HOSTILE)
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.locator("#confirm-text")).to_contain_text("<img src=x")
    page.get_by_role("button", name="Keep it").click()
    page.get_by_role("button", name="Close").click()
    page.locator(".job-link").nth(1).click()
    expect(page.locator("#job-trouble")).to_contain_text("<script>")
    assert page.locator("main img, main script, dialog img, dialog script, dialog b").count() == 0
    assert page.title() == "Dashboard \u2013 Starling"
    assert not any("asr/task" in path for _, path in api.asked)


def test_what_nobody_said_and_what_failed_is_explained(dashboard: Console, api: Api) -> None:
    api.jobs = [job(1), job(2, "failed", kept=False)]
    page = dashboard.open()
    page.locator(".job-link").first.click()
    expect(page.get_by_text("Nobody speaks in this recording.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".job-link").first).to_be_focused()
    page.locator(".job-link").nth(1).click()
    expect(page.get_by_text("It could not be transcribed")).to_be_visible()
    expect(page.get_by_text("The recording is not kept any more.")).to_be_visible()
    expect(page.locator("#player")).to_be_hidden()
    expect(page.get_by_role("button", name="Download as TXT")).to_be_hidden()


def test_what_failed_in_the_middle_is_told_apart_from_what_has_no_text(dashboard: Console, api: Api) -> None:
    api.jobs = [job(1, "failed"), job(2, "failed")]
    api.segments = {api.jobs[0]["task_id"]: [SEGMENT]}
    page = dashboard.open()
    page.locator(".job-link").first.click()
    expect(page.locator("#job-trouble strong")).to_have_text("It was not transcribed to its end")
    expect(page.locator(".word").first).to_be_visible()
    page.get_by_role("button", name="Close").click()
    page.locator(".job-link").nth(1).click()
    expect(page.get_by_text("There is no text.")).to_be_visible()
    expect(page.locator("#job-trouble strong")).to_have_text("It could not be transcribed")


def test_a_text_that_may_lack_something_is_marked_in_the_table(dashboard: Console, api: Api) -> None:
    broken = {"code": "breaks_off", "message": "the recording breaks off at 24.9 s of 44.4 s: the file is incomplete", "at": 24.9}
    api.jobs = [job(1), job(2, warnings=[broken])]
    page = dashboard.open()
    whole, cut = page.locator("#rows .job").nth(0), page.locator("#rows .job").nth(1)
    expect(cut).to_contain_text("The recording breaks off at 24.9 s of 44.4 s")
    expect(whole.locator(".kind")).to_be_hidden()


def test_search_status_and_pages(dashboard: Console, api: Api) -> None:
    api.jobs = [job(number, "failed" if number % 10 == 0 else "done") for number in range(60, 0, -1)]
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(25)
    page.get_by_role("button", name="Older").click()
    expect(page.locator("#page")).to_have_text("Page 2")
    expect(page.locator(".job-link").first).to_have_text("talk 35.wav")
    page.get_by_role("button", name="Newer").click()
    expect(page.locator(".job-link").first).to_have_text("talk 60.wav")
    page.get_by_role("radio", name="Failed").check()
    expect(page.locator("#rows .job")).to_have_count(6)
    page.keyboard.press("Escape")
    page.locator("#recordings-title").click()
    page.keyboard.press("/")
    page.keyboard.type("talk 5")
    expect(page.locator("#rows .job")).to_have_count(1)
    page.keyboard.type("x")
    expect(page.get_by_text("No recording that is failed has “talk 5x” in its name.")).to_be_visible()
    page.get_by_role("button", name="Show all").click()
    expect(page.locator("#rows .job")).to_have_count(25)


def test_who_is_no_operator_sees_its_own_jobs_and_nothing_of_the_host(dashboard: Console, api: Api) -> None:
    api.me = {"tenant": "acme", "operator": False, "keys": True, "max_bytes": 10**9, "max_duration": 43_200}
    api.jobs = EVERY
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(5)
    expect(page.locator("#figures")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("acme")
    assert not any(path.startswith("stats") for _, path in api.asked)


def test_a_server_without_recordings_says_so(dashboard: Console, api: Api) -> None:
    api.me = None
    page = dashboard.open()
    expect(page.get_by_role("alert")).to_contain_text("This server takes no recordings")
    expect(page.locator("#recordings")).to_be_hidden()


def test_what_is_on_the_page_stays_when_the_server_goes(dashboard: Console, api: Api) -> None:
    api.jobs = EVERY
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(5)
    api.down = True
    expect(page.locator("#status")).to_have_text("Reconnecting")
    expect(page.get_by_text("What is shown is what was known last.")).to_be_visible()
    expect(page.locator("#rows .job")).to_have_count(5)
    api.down = False
    expect(page.locator("#status")).to_have_text("Connected")
    expect(page.get_by_text("What is shown is what was known last.")).to_be_hidden()


def test_a_page_that_was_opened_before_the_server_finds_it(dashboard: Console, api: Api) -> None:
    api.down = True
    page = dashboard.open()
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    api.down = False
    page.get_by_role("button", name="Reconnecting").click()
    expect(page.get_by_role("heading", name="No recordings yet")).to_be_visible()


def test_a_refusal_is_told_in_its_own_words(dashboard: Console, api: Api) -> None:
    api.jobs = EVERY
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(5)
    api.refusal = problem(409, "conflict", "only a job that failed or was cancelled can be retried, this one is done")
    page.get_by_role("button", name="Retry talk 4.wav").click()
    expect(page.get_by_role("alert")).to_contain_text("That came too late")
    expect(page.get_by_role("alert")).to_contain_text("can be retried")


def test_charts_say_their_numbers_and_can_be_read_by_keyboard(dashboard: Console, api: Api) -> None:
    page = dashboard.open()
    assert headings(page)[2:10] == [
        "CPU",
        "Memory",
        "Live sessions",
        "Queue",
        "Latency of finals",
        "Throughput",
        "Workers",
        "Errors a minute",
    ]
    latency = page.get_by_role("img", name=re.compile("Latency of finals"))
    expect(latency).to_have_accessible_name(re.compile(r"P50: 120 ms last, 120 ms at most; P95: 120 ms"))
    card = page.locator(".chart").nth(4)
    expect(card.locator(".chart-when")).to_have_text("now")
    latency.focus()
    for _ in range(4):
        page.keyboard.press("PageUp")
    expect(card.locator(".chart-when")).to_have_text(re.compile(r"\d\d:\d\d:\d\d"))
    expect(card.locator("dd").first).to_have_text("\u2013")
    assert card.locator(".line").count() == 3
    page.get_by_text("Processes and errors").click()
    expect(page.get_by_role("row", name=re.compile("gateway 0.1 87 MB"))).to_be_visible()
    expect(page.get_by_role("row", name=re.compile("Sessions refused rate 3"))).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(dashboard: Console, api: Api, theme: Any) -> None:
    api.jobs = EVERY
    api.segments = {EVERY[2]["task_id"]: [SEGMENT]}
    dashboard.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(5)
    expect(page.locator(".chart-most").first).to_have_text("4")
    texts = page.evaluate(TEXT_COLOURS)
    page.locator(".job-link").nth(2).click()
    page.locator(".word").nth(1).click()
    expect(page.locator(".word[data-lit]")).to_have_count(1)
    settle(page)
    texts += page.evaluate(TEXT_COLOURS)
    assert len(texts) > 80
    faint = [(text, round(contrast(ink, ground), 2)) for text, ink, ground in texts if contrast(ink, ground) < 4.5]
    assert faint == []


def test_a_phone_has_room_for_all_of_it(chromium: Browser, stub: StubServer, api: Api) -> None:
    context = chromium.new_context(viewport={"width": 360, "height": 640}, device_scale_factor=2, has_touch=True, is_mobile=True)
    console = Console(context.new_page(), f"{stub.url}dashboard")
    api.jobs = [*EVERY, job(6, name="a very long name of a recording " * 8 + ".wav")]
    api.segments = {EVERY[2]["task_id"]: [SEGMENT]}
    api.install(console.page)
    console.allow("Failed to load resource")
    page = console.open()
    expect(page.locator("#rows .job")).to_have_count(6)
    wide = "document.documentElement.scrollWidth > innerWidth"
    assert not page.evaluate(wide)
    assert page.locator("button").evaluate_all(SMALL_TARGETS) == []
    page.locator(".job-link").nth(5).tap()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert not page.evaluate(wide)
    page.get_by_role("button", name="Close").tap()
    page.locator(".job-link").nth(2).tap()
    expect(page.locator(".word").first).to_be_in_viewport()
    assert page.locator("dialog[open] button").evaluate_all(SMALL_TARGETS) == []
    console.check()
    context.close()


def test_everything_has_a_name(dashboard: Console, api: Api) -> None:
    api.jobs = EVERY
    page = dashboard.open()
    expect(page.locator("#rows .job")).to_have_count(5)
    for role in ("button", "textbox", "searchbox", "radio", "link", "img", "progressbar", "table"):
        for control in page.get_by_role(role).all():
            expect(control).to_have_accessible_name(re.compile(r"\w"))
    expect(page.get_by_role("columnheader", name="Recording")).to_be_visible()
    expect(page.get_by_role("radiogroup", name="Status")).to_be_visible()
