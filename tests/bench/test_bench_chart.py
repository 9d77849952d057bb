from __future__ import annotations

from xml.etree import ElementTree as ET

from bench.chart import line_chart

SVG = "{http://www.w3.org/2000/svg}"


def test_a_chart_is_valid_svg_with_every_point_on_it() -> None:
    lines = {"partial <P95>": [(1, 50.0), (8, 200.0), (16, 5000.0)], "final": [(1, 20.0)]}
    drawn = line_chart("Latency & load", lines, x="streams", y="ms", ceiling=1000, mark=500)
    root = ET.fromstring(drawn)  # noqa: S314 - written by us
    circles = root.findall(f"{SVG}circle")
    assert len(circles) == 4
    assert all(0 <= float(circle.get("cy", "-1")) <= 360 for circle in circles)
    assert {"Latency & load", "partial <P95>", "final"} <= {text.text for text in root.findall(f"{SVG}text")}


def test_a_long_line_is_drawn_without_dots() -> None:
    drawn = line_chart("", {"texts": [(float(at), float(at)) for at in range(500)]}, x="", y="", ceiling=500, mark=500)
    assert not ET.fromstring(drawn).findall(f"{SVG}circle")  # noqa: S314 - ours
    assert drawn.count("L") >= 499


def test_a_chart_of_nothing_is_empty_but_valid() -> None:
    assert not ET.fromstring(line_chart("", {}, x="", y="", ceiling=10, mark=5)).findall(f"{SVG}circle")  # noqa: S314 - ours
