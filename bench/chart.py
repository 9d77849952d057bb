"""A line chart as SVG, drawn by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 140, 40, 48
COLOURS = ("#1f6f8b", "#c8553d", "#588157", "#7b2d8b")

DOTS = 60
"""Points of a line that are still told apart."""

Line = Sequence[tuple[float, float]]


def line_chart(title: str, lines: Mapping[str, Line], *, x: str, y: str, ceiling: float, mark: float) -> str:
    """``lines`` by name, as points. ``x`` and ``y`` name the axes, which begin at 0; ``y`` ends at ``ceiling``, where higher
    values are drawn too. ``mark``: the value of ``y`` with a dashed line.
    """
    widest = max((point[0] for line in lines.values() for point in line), default=1) or 1

    def across(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * value / widest, 1)

    def up(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(value, ceiling) / ceiling, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(LEFT, 22, title, extra='font-size="14" font-weight="bold"'),
        _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, extra='text-anchor="middle"'),
        _text(LEFT, TOP - 4, y),
    ]
    for tick in _ticks(ceiling):
        parts.append(f'<path d="M{LEFT} {up(tick)}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(_text(LEFT - 6, up(tick) + 4, f"{tick:g}", extra='text-anchor="end"'))
    parts += [_text(across(tick), HEIGHT - BOTTOM + 18, f"{tick:g}", extra='text-anchor="middle"') for tick in _ticks(widest)]
    parts.append(f'<path d="M{LEFT} {up(mark)}H{WIDTH - RIGHT}" stroke="#666" stroke-dasharray="4 4"/>')
    for place, (name, line) in enumerate(lines.items()):
        colour = COLOURS[place % len(COLOURS)]
        points = [(across(a), up(b)) for a, b in sorted(line)]
        parts.append(f'<path d="M{"L".join(f"{a} {b}" for a, b in points)}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if len(points) <= DOTS:
            parts += [f'<circle cx="{a}" cy="{b}" r="3" fill="{colour}"/>' for a, b in points]
        parts.append(_text(WIDTH - RIGHT + 10, TOP + 14 + 18 * place, name, extra=f'fill="{colour}"'))
    return "\n".join([*parts, "</svg>", ""])


def _text(x: float, y: float, text: str, *, extra: str = "") -> str:
    return f'<text x="{x}" y="{y}" {extra}>{escape(text)}</text>'


def _ticks(end: float) -> list[float]:
    """Round numbers from 0 to ``end``, four to ten of them."""
    step = 10.0 ** (len(str(int(end))) - 1)
    while end / step < 4:
        step /= 2
    return [tick * step for tick in range(int(end / step) + 1)]
