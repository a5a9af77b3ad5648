"""Matrices: every combination of some values, each with an identity that does not depend on how they are written. Pure.

A cell is known by its values alone: neither the order of the keys, nor that of the values, nor the other cells of the
matrix change its id or its path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from flyball.rules.keys import fingerprint

MOST_CELLS: Final = 2_000
MATRIX: Final = "matrix"
APART: Final = "@"
"""Parts the id of a rule from that of its cell; no rule of a file has it in its id."""

_ONLY: Final = "one"  # the path of the only cell of a rule without a matrix
_LONGEST_ID: Final = 112  # characters; names in the ledger have 128, and some begin or end with more than the id
_LONGEST_PATH: Final = 240
_MARK: Final = 8  # hex digits that tell apart what reads the same
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.+-]+")
_ODD: Final = re.compile(r"[^A-Za-z0-9_.+-]+")
_LOOKS_TYPED: Final = re.compile(r"(?i)true|false|null|[+-]?[0-9.][0-9._]*(e[+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Cell:
    """One combination.

    Attributes:
        values: key → value, in the order of the file.
        id: 24 hex digits.
        path: for people, and to name it on the command line: `dataset=Life,predictor=rmse`.
    """

    values: Mapping[str, Any]
    id: str
    path: str

    @property
    def names(self) -> dict[str, Any]:
        """What the expressions and templates of the rule see: `matrix`, and each key by its own name."""
        return {MATRIX: dict(self.values), **self.values}


def cells_of(matrix: Mapping[str, Sequence[Any]]) -> list[Cell]:
    """Every combination of the values, the last key's changing fastest."""
    keys = list(matrix)
    return [cell_of(dict(zip(keys, values, strict=True))) for values in product(*matrix.values())]


def number_of(matrix: Mapping[str, Sequence[Any]]) -> int:
    """How many cells there are, without making them."""
    number = 1
    for values in matrix.values():
        number *= len(values)
    return number


def cell_of(values: Mapping[str, Any]) -> Cell:
    """The cell with these values."""
    return Cell(values, identity(values)[:24], readable(values, _LONGEST_PATH) or _ONLY)


def identity(value: Any) -> str:
    """The same for equal values, however they are written: `1` and `1.0` are one number, keys have no order."""
    return fingerprint(_plain(value))


def cell_rule_id(rule: str, cell: Cell) -> str:
    """The id of the rule that a rule becomes in one cell: `motion@run=1,task=rest`."""
    return f"{rule}{APART}{readable(cell.values, _LONGEST_ID - len(rule) - len(APART))}"


def family_of(rule: str) -> str:
    """The id that the rule has in its file; that of a cell's rule goes up to the `@`."""
    return rule.partition(APART)[0]


def cell_name(rule: str) -> str:
    """The cell in the id of a cell's rule."""
    return rule.partition(APART)[2]


def same_path(given: str, path: str) -> bool:
    """Whether a cell is named, its keys in any order."""
    return sorted(given.split(",")) == sorted(path.split(","))


def readable(values: Mapping[str, Any], most: int) -> str:
    """The values for people, keys sorted; with a mark at the end where they read like others, or are too long."""
    parts, exact = [], True
    for key in sorted(values):
        text, plain = _text(values[key])
        parts.append(f"{key}={text}")
        exact = exact and plain
    whole = ",".join(parts)
    if exact and len(whole) <= most:
        return whole
    return f"{whole[: most - _MARK - 1]}~{identity(values)[:_MARK]}"


def _text(value: Any) -> tuple[str, bool]:
    """A value for people, and whether it reads like no other one."""
    if isinstance(value, bool):
        return str(value).lower(), True
    if isinstance(value, float) and value.is_integer():
        return str(int(value)), True
    if isinstance(value, int | float):
        return str(value), True
    if isinstance(value, str):
        plain = _PLAIN.fullmatch(value) is not None and _LOOKS_TYPED.fullmatch(value) is None
        return _ODD.sub("_", value) or "_", plain
    inner: Iterable[Any] = [value[key] for key in sorted(value)] if isinstance(value, Mapping) else value
    return "+".join(_text(one)[0] for one in inner) or "_", False


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
