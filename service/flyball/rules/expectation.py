"""`expect`: which acquisitions of a plan are missing, and which nobody planned. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from flyball.rules.expression.patterns import regex
from flyball.rules.rule import Expected


def expect(entries: Sequence[Expected], labels: Iterable[str]) -> tuple[list[str], list[str]]:
    """Compares a plan with what is there.

    Args:
        entries: the plan. An acquisition counts for every entry that it fits.
        labels: of the acquisitions, in the order of their creation; equal labels count each.

    Returns:
        `missing`: titles of the entries that have fewer than they want, in the order of the plan. `unexpected`: labels
        that no entry wants, and those beyond an entry's number (the later ones), in the order given; each once.
    """
    present = list(labels)
    missing: list[str] = []
    surplus: set[int] = set()
    wanted: set[int] = set()
    for entry in entries:
        fitting = [index for index, label in enumerate(present) if fits(entry, label)]
        wanted.update(fitting)
        if len(fitting) < entry.at_least:
            missing.append(entry.title)
        if entry.at_most is not None:
            surplus.update(fitting[entry.at_most :])
    odd = [label for index, label in enumerate(present) if index in surplus or index not in wanted]
    return list(dict.fromkeys(missing)), list(dict.fromkeys(odd))


def fits(entry: Expected, label: str) -> bool:
    """Whether an acquisition's label is what the entry is about: equal, or the expression is found in it."""
    if entry.match is None:
        return label == entry.label
    return regex(entry.match).found_in(label)
