"""Small pictures of what was measured: curves over a logarithmic axis, as SVG without fonts or scripts of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from bench.result import short

WIDE, HIGH = 640, 150  # of one panel
LEFT, RIGHT, TOP, BOTTOM = 60, 24, 34, 34


@dataclass(frozen=True, slots=True)
class Curve:
    """One panel.

    Attributes:
        title: what is shown, with its unit.
        sizes: along the axis.
        values: one for each; the axis begins at 0.
        limit: a line that must not be crossed.
    """

    title: str
    sizes: Sequence[int]
    values: Sequence[float]
    limit: float | None = None


def drawn(title: str, axis: str, curves: Sequence[Curve]) -> str:
    """The panels one below the other."""
    height = HIGH * len(curves)
    panels = "\n".join(_panel(curve, axis, number * HIGH) for number, curve in enumerate(curves))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {height}" role="img"'
        f' font-family="sans-serif" font-size="12">\n<title>{escape(title)}</title>\n'
        f'<rect width="{WIDE}" height="{height}" fill="#fff"/>\n{panels}\n</svg>\n'
    )


def _panel(curve: Curve, axis: str, top: int) -> str:
    highest = max([*curve.values, curve.limit or 0.0]) * 1.1 or 1.0
    low, high = math.log10(min(curve.sizes)), math.log10(max(curve.sizes))
    bottom = top + HIGH - BOTTOM

    def along(size: float) -> float:
        share = 0.5 if high == low else (math.log10(size) - low) / (high - low)
        return LEFT + share * (WIDE - LEFT - RIGHT)

    def above(value: float) -> float:
        return bottom - value / highest * (HIGH - TOP - BOTTOM)

    points = [(along(size), above(value)) for size, value in zip(curve.sizes, curve.values, strict=True)]
    parts = [
        f'<text x="{LEFT}" y="{top + 16}" font-weight="bold">{escape(curve.title)}</text>',
        f'<path d="M{LEFT} {bottom}H{WIDE - RIGHT}" stroke="#888"/>',
        f'<text x="{WIDE - RIGHT}" y="{bottom + 28}" text-anchor="end" fill="#555">{escape(axis)}</text>',
    ]
    if curve.limit is not None:
        at = above(curve.limit)
        parts.append(f'<path d="M{LEFT} {at:.1f}H{WIDE - RIGHT}" stroke="#b00" stroke-dasharray="4 3"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{at + 4:.1f}" text-anchor="end" fill="#b00">{short(curve.limit)}</text>')
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    parts.append(f'<polyline points="{line}" fill="none" stroke="#33539e" stroke-width="2"/>')
    for (x, y), size, value in zip(points, curve.sizes, curve.values, strict=True):
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="#33539e"/>')
        parts.append(f'<text x="{x:.1f}" y="{y - 7:.1f}" text-anchor="middle">{short(value)}</text>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="middle" fill="#555">{size:,}</text>')
    return "\n".join(parts)
