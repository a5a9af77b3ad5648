"""Peer groups: how far a metric lies from those of its peers, in robust standard deviations. Pure.

z = (value - median) / (1.4826 * MAD), where MAD is the median of the distances from the median; 1.4826 makes it agree
with the standard deviation of normally distributed values. Unlike mean and standard deviation, neither moves much when
some peers are bad themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from flyball.rules.expression import Unknown, is_unknown

SCALE: Final = 1.4826
"""Median absolute deviation to standard deviation, for normally distributed values."""

_DIGITS: Final = 9  # beyond these is the noise of the arithmetic: a value on the cut-off is to be on it

Path = tuple[str, ...]
Group = tuple[str, ...]
PeerKey = tuple[str, str, Group]
"""Profile, metric, and what the group has in common."""


@dataclass(frozen=True, slots=True)
class Peers:
    """One metric in one peer group, frozen.

    Attributes:
        date: day since when these numbers hold, by the site's clock, as `2026-11-20`.
        n: how many values.
        median, mad: of the values.
    """

    date: str
    n: int
    median: float
    mad: float

    def z(self, value: float) -> float | None:
        """The robust z of a value; None where the peers do not differ, so that nothing can be said."""
        spread = SCALE * self.mad
        return round((value - self.median) / spread, _DIGITS) if spread > 0 else None


PeerTable = Mapping[PeerKey, Peers]
NO_PEERS: Final[PeerTable] = {}


def statistics(values: Sequence[float], date: str) -> Peers:
    """Freezes some values, at least one."""
    middle = median(values)
    return Peers(date, len(values), middle, median(abs(value - middle) for value in values))


def group_of(within: Sequence[Path], names: Mapping[str, Any]) -> Group | Unknown:
    """The peer group that a document belongs to: what it has at each path, as text.

    A path of a level alone (`project`) stands for its id. What is no text, number or truth value makes no group.
    """
    found: list[str] = []
    for path in within:
        value: Any = names
        for key in path if len(path) > 1 else (*path, "id"):
            value = value.get(key) if isinstance(value, Mapping) else None
            if is_unknown(value):
                return value
        text = _text(value)
        if text is None:
            return Unknown(f"its {'.'.join(path)} is not known", "absent")
        found.append(text)
    return tuple(found)


def _text(value: Any) -> str | None:
    """Equal values have equal texts, whole numbers and real ones alike."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.12g}" if isinstance(value, (int, float)) and value - value == 0 else None
