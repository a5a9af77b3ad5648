"""Which names the expressions of a rule may use, and in what order its own are worked out. Pure."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence

from flyball.model.levels import Level, above, below
from flyball.rules.expression.forms import LITERALS, USAGES

MISSING = ("missing", "unexpected")
RESERVED = frozenset(
    (*(str(level) for level in Level), "group", "gear", "event", *MISSING, *LITERALS, *USAGES, "qc", "loop", "row")
)
"""Names that `let` and `select` cannot take. `row` and `loop` have a meaning in templates."""


def a(level: str) -> str:
    """A level with its article."""
    return f"{'an' if level[:1] in 'aeiou' else 'a'} {level}"


def names_at(each: Level, *, expects: bool, matrix: Iterable[str] = ()) -> frozenset[str]:
    """The names that a rule has at its target: the target, its ancestors, `event`, and what comes with its kind.

    `matrix`: the keys of its matrix, which are names as well.
    """
    names = {str(level) for level in (*above(each), each)} | {"event", *matrix}
    if each is not Level.MATRIX:
        names.add("group")
    if matrix:
        names.add(str(Level.MATRIX))
    if each is Level.JOB:
        names.add("gear")
    return frozenset(names | set(MISSING if expects else ()))


def names_below(each: Level, level: Level) -> frozenset[str]:
    """The further names at a node of `level` below the target: itself and what lies between."""
    under = below(each)
    return frozenset(str(one) for one in under[: under.index(level) + 1])


def wrong_name(name: str, taken: Iterable[str]) -> str:
    """Why a name cannot be given to an expression or a selection; empty: it can."""
    if keyword.iskeyword(name):
        return f"`{name}` is a word of the expressions' own; choose another name"
    if name in RESERVED:
        return f"`{name}` has a meaning already; choose another name"
    if name in taken:
        return f"`{name}` stands under `let` and under `select`; rename one of them"
    return ""


def in_order(needs: Mapping[str, frozenset[str]]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names in an order in which each comes after those that it needs, otherwise as written.

    Returns:
        the order, and a cycle as the names on it (empty: there is none).
    """
    done: dict[str, None] = {}
    cycle: tuple[str, ...] = ()

    def visit(name: str, trail: Sequence[str]) -> None:
        nonlocal cycle
        if name in done or cycle:
            return
        if name in trail:
            cycle = (*trail[trail.index(name) :], name)
            return
        for other in needs:  # in the order of the file
            if other in needs[name]:
                visit(other, (*trail, name))
        done[name] = None

    for name in needs:
        visit(name, ())
    return tuple(done), cycle
