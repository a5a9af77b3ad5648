"""What a case found, and what it was asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked of a case.

    Attributes:
        size: sessions, acquisitions, effects or rules, as the case says; None for its own.
        whole: the yardstick runs over all of it, and not over a part that stands for it.
    """

    size: int | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """One table.

    Attributes:
        columns: headings.
        rows: cells as text.
        notes: what one must know to read the table, each one a sentence or two.
        pictures: name of a file beside the page → what is in it.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())
    pictures: Mapping[str, str] = field(default_factory=dict)


def held(figure: float, *, at_least: float | None = None, at_most: float | None = None, unit: str = "") -> str:
    """An aim, and whether the figure holds it."""
    if at_least is not None:
        return f"≥ {at_least:g}{unit}: {'held' if figure >= at_least else 'missed'}"
    assert at_most is not None
    return f"≤ {at_most:g}{unit}: {'held' if figure <= at_most else 'missed'}"


def short(number: float) -> str:
    """A figure with three digits that count."""
    if number == 0:
        return "0"
    if abs(number) >= 100:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that so large a share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered) + 0.5) - 1))]
