"""What a report says, before it is written down: figures, tables, notes, plots. Plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from flyball.reports.cells import Cell

Tone = Literal["", "good", "warn", "bad", "busy", "faint"]


MOST_ROWS: Final = 300
"""Rows of a table on the page; the CSV has all."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One headline figure."""

    label: str
    value: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """A table's cell that is more than its value: coloured, or linked."""

    value: Cell
    tone: Tone = ""
    link: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the page.

    Attributes:
        total: rows that there are, where only the first are shown.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell | Entry]]
    note: str = ""
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Histogram:
    """How values are spread; one colour for each group."""

    groups: Mapping[str, Sequence[float]]
    label: str


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar for each name, from the top; `most` is the full length (the number of sessions, say).

    `grouped`: in the colours of a histogram's groups, instead of by `tones`.
    """

    values: Mapping[str, int]
    label: str
    tones: Mapping[str, Tone] = field(default_factory=dict)
    most: int | None = None
    grouped: bool = False


class Point(NamedTuple):
    """One measurement. `time` in seconds since 1970, None where the scan has no time.

    A tuple, since a large project has hundreds of thousands.
    """

    value: float
    time: float | None
    group: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Trend:
    """Values over time, with their distribution beside it; lines are cut-offs."""

    points: Sequence[Point]
    label: str
    lines: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts of each column's thing in each row: 0, 1, more."""

    rows: Sequence[str]
    columns: Sequence[str]
    counts: Sequence[Sequence[int]]

    @property
    def wide(self) -> bool:
        """Whether it has so many columns that their labels need twice the width."""
        return len(self.columns) > 24


@dataclass(frozen=True, slots=True)
class Figure:
    """A plot with its words.

    Attributes:
        alt: what the picture shows, for those who do not see it.
    """

    title: str
    alt: str
    plot: Histogram | Bars | Trend | Matrix
    note: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """One report.

    Attributes:
        subtitle: what it is about: the project's path, a gear.
        columns, rows: of the CSV; the first two columns are `subject` and `session`.
        numbers: the headline figures for programs (`--json`).
    """

    title: str
    subtitle: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    facts: Sequence[Fact] = ()
    notes: Sequence[str] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    numbers: Mapping[str, object] = field(default_factory=dict)
