"""`matrix`: its keys and values checked, each mistake at its place, and the cells that it gives. Pure."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flyball.configfile.durations import shortened
from flyball.rules.matrix import MATRIX, MOST_CELLS, Cell, cell_of, cells_of, identity, number_of
from flyball.rules.reading.names import RESERVED

Wrong = Callable[..., None]
DEEPEST = 4  # levels of lists and maps inside of a value
LONGEST = 1_000  # characters of a text


def read_matrix(
    matrix: Mapping[str, Sequence[Any]] | None, *, own: Iterable[str], names: Iterable[str], wrong: Wrong
) -> list[Cell]:
    """The cells of a rule's matrix; the only cell, of no values, where there is none.

    Args:
        matrix: key → values.
        own: the names that the rule gives itself under `let` and `select`.
        names: the names that the rule has at its target.
        wrong: told of each mistake: message, path below the rule, `key=True` for the place of the key.
    """
    if matrix is None:
        return [cell_of({})]
    taken = frozenset(names)
    mine = frozenset(own)
    fine = bool(matrix)
    if not matrix:
        wrong("`matrix` has no keys; give it some, or leave it out", "matrix")
    for key, values in matrix.items():
        message = _clash(key, mine, taken)
        if message:
            wrong(message, "matrix", key, key=True)
            fine = False
        fine = _check(key, values, wrong) and fine
    number = number_of(matrix)
    if number > MOST_CELLS:
        counts = " times ".join(str(len(values)) for values in matrix.values())
        wrong(
            f"`matrix` has {number} cells ({counts}), more than {MOST_CELLS}; take values out, or split the rule",
            "matrix",
            key=True,
        )
        return []
    return cells_of(matrix) if fine else []


def silently(entry: Mapping[str, Any]) -> list[Cell]:
    """The cells of a rule's entry as written; none where something is wrong with its matrix, which others tell."""
    matrix = entry.get(MATRIX)
    if not isinstance(matrix, Mapping):
        return []
    listed = {key: value if isinstance(value, list) else [value] for key, value in matrix.items()}
    return read_matrix(listed, own=(), names=(), wrong=lambda *_path, **_more: None)


def _clash(key: str, own: frozenset[str], names: frozenset[str]) -> str:
    if keyword.iskeyword(key):
        return f"`{key}` is a word of the expressions' own; choose another key"
    if key in RESERVED or key in names:
        return f"`{key}` has a meaning already; choose another key"
    if key in own:
        return f"`{key}` stands under `let` or `select` too; rename one of them"
    return ""


def _check(key: str, values: Sequence[Any], wrong: Wrong) -> bool:
    """Whether a key's values can be used; what is wrong with them is told."""
    if not values:
        wrong(f"`{key}` has no values, so there would be no cell; give it some, or leave the key out", "matrix", key)
        return False
    seen: dict[str, int] = {}
    fine = True
    for index, value in enumerate(values):
        message = _unusable(value)
        if message:
            wrong(f"entry {index + 1} of `{key}`: {message}", "matrix", key, index)
            fine = False
            continue
        first = seen.setdefault(identity(value), index)
        if first != index:
            said = shortened(value) if isinstance(value, str | int | float) else "it"
            wrong(f"entry {index + 1} of `{key}`: {said} is entry {first + 1} again", "matrix", key, index)
            fine = False
    return fine


def _unusable(value: Any, depth: int = 0) -> str:
    """Why a value cannot be one of a matrix; empty: it can."""
    if value is None:
        return "a value is missing (null); write it in quotes if it is a text"
    if isinstance(value, float) and not math.isfinite(value):
        return "a number must be finite"
    if isinstance(value, str) and len(value) > LONGEST:
        return f"a text has at most {LONGEST} characters"
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEEPEST:
            return f"lists and maps are at most {DEEPEST} levels deep"
        inner = list(value.values()) if isinstance(value, Mapping) else value
        if not inner:
            return "an empty list or map says nothing"
        return next((found for one in inner if (found := _unusable(one, depth + 1))), "")
    return ""
