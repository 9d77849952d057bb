"""The page itself: by keyboard, by ear, on a phone, by day and by night."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from browser.console_page import Console
from browser.stub_server import Peer, StubServer
from recordings import recording_path
from starling.gateway.app import CONSOLE

pytestmark = pytest.mark.browser

TEXT_COLOURS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = paint.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 0.99) return colour;
    }
    return [255, 255, 255, 1];
  };
  const texts = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const shown = element.checkVisibility({ visibilityProperty: true }) && !element.closest(".unseen, :disabled, noscript");
    if (!own || !shown) continue;
    texts.push([element.textContent.trim().slice(0, 40), rgba(getComputedStyle(element).color), ground(element)]);
  }
  return texts;
}"""

FOCUS_RING = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return [document.activeElement.id, outlineStyle, outlineWidth];
}"""

SMALL_TARGETS = """(buttons) => buttons.filter((button) => {
  const { width, height } = button.getBoundingClientRect();
  return button.checkVisibility() && (width < 24 || height < 24); // WCAG 2.2, 2.5.8
}).map(({ id }) => id)"""


def luminance(colour: list[float]) -> float:
    """Relative luminance of sRGB (WCAG 2.2)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (channel / 255 for channel in colour[:3])]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: list[float], other: list[float]) -> float:
    dark, light = sorted([luminance(one), luminance(other)])
    return (light + 0.05) / (dark + 0.05)


async def talk(peer: Peer) -> None:
    """A settled sentence, a provisional one, and a complaint."""
    await peer.ready()
    await peer.result(0, 0, "It was the best of times,", final=True, start=0.2, end=2)
    await peer.result(1, 0, "it was the worst of", stable="it was the", start=2.2, end=3)
    await peer.send("error", code="engine_failed", message="it raised", retryable=True, segment_id=7)
    await peer.read_until("end")
    await peer.done()


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def phone(chromium: Browser, stub: StubServer) -> Iterator[Console]:
    context = chromium.new_context(
        permissions=["microphone"], viewport={"width": 360, "height": 640}, device_scale_factor=2, has_touch=True, is_mobile=True
    )
    console = Console(context.new_page(), stub.url)
    yield console
    console.check()
    context.close()


def settle(page: Page) -> None:
    """Let every transition and animation end, so that colours are what they will be."""
    page.evaluate(
        "Promise.all(document.getAnimations().filter((a) => a.effect.getTiming().iterations === 1).map((a) => a.finished))"
    )


def test_every_text_stands_out_from_its_ground(console: Console, stub: StubServer, theme: str) -> None:
    stub.script = talk
    console.page.emulate_media(color_scheme="light" if theme == "light" else "dark")
    page = console.open()
    texts = page.evaluate(TEXT_COLOURS)
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .tail")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_visible()
    page.mouse.move(5, 5)
    settle(page)
    texts += page.evaluate(TEXT_COLOURS)
    assert len(texts) > 60
    faint = [(text, round(contrast(ink, ground), 2)) for text, ink, ground in texts if contrast(ink, ground) < 4.5]
    assert faint == []
    colours = {text: luminance(ink) for text, ink, _ in texts}
    inks = [colours["It was the best of times,"], colours["it was the"], colours["worst of"]]
    assert inks == sorted(inks, reverse=theme == "dark")


def test_controls_show_their_focus(console: Console, theme: str) -> None:
    console.page.emulate_media(color_scheme="light" if theme == "light" else "dark")
    page = console.open()
    seen: list[str] = []
    for _ in range(40):
        page.keyboard.press("Tab")
        name, *outline = page.evaluate(FOCUS_RING)
        if name in seen or name == "":
            break
        seen.append(name)
        assert outline == ["solid", "2px"], name
    assert seen[:5] == ["dashboard", "theme", "captions", "choose", "listen"]


def test_everything_has_a_name_and_a_role(console: Console, stub: StubServer) -> None:
    page = console.open()
    for role in ("button", "textbox", "slider", "combobox", "checkbox"):
        for control in page.get_by_role(role).all():
            expect(control).to_have_accessible_name(re.compile(r"\w"))
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("banner")).to_be_visible()
    expect(page.get_by_role("complementary", name="Readings and settings")).to_be_visible()
    expect(page.get_by_role("region", name="Captions")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("Starling")
    expect(page.get_by_role("slider", name="Update captions every")).to_have_attribute("aria-valuetext", "300 ms")


def test_screen_readers_hear_finals_and_nothing_provisional(console: Console, stub: StubServer) -> None:
    stub.script = talk
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    final = page.get_by_text("It was the best of times,")
    provisional = page.locator("#provisional .segment")
    expect(provisional).to_be_visible()
    live = "(element) => element.closest('[aria-live], [role=status], [role=alert]')?.getAttribute('aria-live')"
    assert final.evaluate(live) == "polite"
    assert provisional.evaluate(live) == "off"
    assert page.get_by_label("Elapsed").evaluate(live) == "off"


def test_all_of_it_works_without_a_mouse(console: Console, stub: StubServer) -> None:
    stub.script = talk
    page = console.open()
    page.on("filechooser", lambda chooser: chooser.set_files(recording_path("success")))
    page.keyboard.press("Space")
    expect(page.locator("#status")).to_have_text("Listening")
    page.keyboard.press("Space")
    expect(page.locator("#status")).to_have_text("Done")
    page.keyboard.press("c")
    expect(page.locator("#said")).to_have_text("Transcript copied")
    page.keyboard.press("o")
    expect(page.locator("#settled h2")).to_contain_text("success.wav")
    expect(page.locator("#status")).to_have_text("Done")
    page.get_by_role("button", name="Clear").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Listen")).to_be_focused()
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
    page.get_by_label("Language").focus()
    page.keyboard.type("to f")  # letters typed into a field are letters
    expect(page.get_by_label("Language")).to_have_value("to f")
    page.get_by_label("Single-key shortcuts").uncheck()
    page.locator("body").press("Space")
    expect(page.locator("#status")).to_have_text("Done")


def test_the_theme_follows_the_system_until_chosen(console: Console) -> None:
    def ground() -> str:
        return str(console.page.evaluate("getComputedStyle(document.body).backgroundColor"))

    page = console.open()
    light = ground()
    page.emulate_media(color_scheme="dark")
    dark = ground()
    assert dark != light
    toggle = page.get_by_role("button", name="Switch between dark and light")
    toggle.click()
    assert ground() == light
    page.reload()
    assert ground() == light
    toggle.click()
    assert ground() == dark
    assert json.loads(page.evaluate("localStorage['starling.settings']")) == {}


def test_a_page_without_storage_works(console: Console) -> None:
    console.page.add_init_script(
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('', 'SecurityError'); } })"
    )
    page = console.open()
    page.get_by_label("Speech detector").select_option("off")
    expect(page.get_by_role("button", name="Listen")).to_be_enabled()


def test_a_phone_has_room_for_all_of_it(phone: Console, stub: StubServer) -> None:
    stub.script = talk
    page = phone.open()

    def overflows() -> Any:
        return page.evaluate("document.documentElement.scrollWidth > innerWidth || document.body.scrollHeight > innerHeight")

    assert not overflows()
    expect(page.get_by_text("drop a recording")).to_be_hidden()
    page.get_by_role("button", name="Listen").tap()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_text("It was the best of times,")).to_be_in_viewport()
    assert not overflows()
    assert page.locator("button").evaluate_all(SMALL_TARGETS) == []
    settings = page.get_by_role("button", name="Readings and settings")
    expect(page.get_by_label("Speech detector")).to_be_hidden()
    settings.tap()
    expect(settings).to_have_attribute("aria-expanded", "true")
    expect(page.get_by_label("Speech detector")).to_be_visible()
    assert not overflows()
    page.keyboard.press("Escape")
    expect(page.get_by_label("Speech detector")).to_be_hidden()
    expect(settings).to_be_focused()
    page.get_by_role("button", name="Stop").tap()
    expect(page.locator("#status")).to_have_text("Done")


def test_reduced_motion_moves_nothing(console: Console, stub: StubServer) -> None:
    stub.script = talk
    console.page.emulate_media(reduced_motion="reduce")
    page = console.open()
    page.get_by_role("button", name="Listen").click()
    expect(page.locator("#provisional .tail")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0


def test_the_page_needs_nothing_from_elsewhere_and_nothing_inline() -> None:
    """What the policy forbids would show as a complaint; what only other browsers do would not."""
    page = (CONSOLE / "index.html").read_text()
    assert re.findall(r"<style|style=|<script(?![^>]*\bsrc=)|\son[a-z]+=|javascript:", page) == []
    sources = chain.from_iterable(CONSOLE.glob(pattern) for pattern in ("*.html", "*.js", "*.css"))
    assert [path.name for path in sources if re.search(r"(?:https?:)?//[a-z0-9-]+\.[a-z]", path.read_text())] == []
