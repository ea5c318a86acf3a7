"""Owns the plots of a report page: inline SVG made of plain shapes, with a title for each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

WIDTH, HEIGHT = 720, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 12, 28
LABELS_MAX = 12
POINTS_MAX = 1_000
"""A line is drawn through at most so many points; the lowest and highest of each stretch stay."""


class Mark(NamedTuple):
    """One bar of a histogram: its label, its height, a word said beside it, and its colour."""

    label: str
    value: float
    said: str
    loss: bool = False


def line_plot(title: str, values: Sequence[float], ends: tuple[str, str]) -> str:
    """Return a line over time; `ends` label its first and last point."""
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    kept = _thinned(values)
    points = " ".join(
        f"{_x(at / (len(values) - 1)):.1f},{_y((value - low) / span):.1f}" for at, value in kept
    )
    labels = _text(4, _y(1) + 4, _figure(high)) + _text(4, _y(0), _figure(low))
    base = HEIGHT - 8
    labels += _text(_LEFT, base, ends[0]) + _text(WIDTH - _RIGHT, base, ends[1], anchor="end")
    return _svg(title, f'<polyline class="line" points="{points}"/>{_axis(0.0)}{labels}')


def bar_plot(title: str, marks: Sequence[Mark]) -> str:
    """Return a histogram; each bar has its own words for those who point at it or hear the page."""
    if not marks:
        return ""
    high = max(mark.value for mark in marks) or 1.0
    step = (WIDTH - _LEFT - _RIGHT) / len(marks)
    shapes = []
    for at, mark in enumerate(marks):
        top, left = _y(mark.value / high), _LEFT + at * step
        kind = "loss" if mark.loss else "gain"
        shapes.append(
            f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{max(step - 1, 1):.1f}" '
            f'height="{_y(0) - top:.1f}"><title>{escape(mark.said)}</title></rect>'
        )
        if at % max(math.ceil(len(marks) / LABELS_MAX), 1) == 0:
            shapes.append(_text(left + step / 2, HEIGHT - 8, mark.label, anchor="middle"))
    shapes += [_text(4, _y(1) + 4, _figure(high)), _axis(0.0)]
    return _svg(title, "".join(shapes))


def scatter_plot(title: str, points: Sequence[tuple[float, float]], words: tuple[str, str]) -> str:
    """Return points of two figures; `words` name what lies across and what lies up."""
    if not points:
        return ""
    across, up = [point[0] for point in points], [point[1] for point in points]
    wide, tall = (max(across) - min(across)) or 1.0, (max(up) - min(up)) or 1.0
    dots = "".join(
        f'<circle class="{"gain" if y > 0 else "loss"}" r="2.5" '
        f'cx="{_x((x - min(across)) / wide):.1f}" cy="{_y((y - min(up)) / tall):.1f}"/>'
        for x, y in points
    )
    labels = _text(4, _y(1) + 4, _figure(max(up))) + _text(4, _y(0), _figure(min(up)))
    base = HEIGHT - 8
    labels += _text(_LEFT, base, f"{words[0]} {_figure(min(across))}")
    labels += _text(WIDTH - _RIGHT, base, _figure(max(across)), anchor="end")
    return _svg(f"{title}: {words[1]} by {words[0]}", dots + labels)


def _thinned(values: Sequence[float]) -> list[tuple[int, float]]:
    size = max(2 * len(values) // POINTS_MAX, 1)
    if size < 2:
        return list(enumerate(values))
    kept = {0, len(values) - 1}
    for first in range(0, len(values), size):
        stretch = range(first, min(first + size, len(values)))
        kept |= {min(stretch, key=values.__getitem__), max(stretch, key=values.__getitem__)}
    return [(at, values[at]) for at in sorted(kept)]


def _x(share: float) -> float:
    return _LEFT + share * (WIDTH - _LEFT - _RIGHT)


def _y(share: float) -> float:
    return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _axis(share: float) -> str:
    y = _y(share)
    return f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'


def _text(x: float, y: float, words: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def _svg(title: str, inside: str) -> str:
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" aria-label="{escape(title)}">{inside}</svg></figure>'
    )
