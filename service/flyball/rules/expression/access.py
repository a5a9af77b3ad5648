"""Reading documents: `file.info.snr`, `t1[0]`, `row['Subject ID']`, `label[:3]`.

A path of names and literal keys is one closure that first tries the plain way down and walks step by step only when
that failed, to say where. Attributes are keys of objects and nothing else: no attribute of a Python object can be
reached.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from flyball.rules.expression.context import Closure, Run
from flyball.rules.expression.dates import FIELDS, read_date
from flyball.rules.expression.values import Unknown, describe, passed_on

Key = str | int
_FAILED: Final = (KeyError, TypeError, IndexError, AttributeError)
_ABSENT: Final = object()


def path(root: str, keys: Sequence[Key], names: Sequence[str], variable: int | None = None) -> Closure:
    """Evaluates a root name and literal keys below it.

    Args:
        root: the name of the root.
        keys: the keys below it, in order.
        names: the path up to and including the root and each key, as written, for the reasons.
        variable: where the root is kept when it is the variable of a comprehension.
    """
    dated = bool(keys) and keys[-1] in FIELDS

    def walk(run: Run) -> Any:
        return _walk(_root(run, root, variable), keys, names)

    if variable is not None:
        return _from_variable(variable, keys, walk, names[-1] if dated else None)
    if not dated and len(keys) == 2:
        return _two_keys(root, keys[0], keys[1], walk)
    if not dated and len(keys) == 3:
        return _three_keys(root, keys[0], keys[1], keys[2], walk)

    def read(run: Run) -> Any:
        try:
            value = run.names[root]
            for key in keys:
                value = value[key]
        except _FAILED:
            return walk(run)
        if dated and value.__class__ is str:
            return read_date(value, names[-1])
        if value is None or (value.__class__ is float and value - value != 0.0):
            return walk(run)
        return value

    return read


def _two_keys(root: str, first: Key, second: Key, walk: Closure) -> Closure:
    def read(run: Run) -> Any:
        try:
            value = run.names[root][first][second]
        except _FAILED:
            return walk(run)
        if value is None or (value.__class__ is float and value - value != 0.0):
            return walk(run)
        return value

    return read


def _three_keys(root: str, first: Key, second: Key, third: Key, walk: Closure) -> Closure:
    def read(run: Run) -> Any:
        try:
            value = run.names[root][first][second][third]
        except _FAILED:
            return walk(run)
        if value is None or (value.__class__ is float and value - value != 0.0):
            return walk(run)
        return value

    return read


def _from_variable(variable: int, keys: Sequence[Key], walk: Closure, dated: str | None) -> Closure:
    def read(run: Run) -> Any:
        try:
            value = run.variables[variable]
            for key in keys:
                value = value[key]
        except _FAILED:
            return walk(run)
        if dated is not None and value.__class__ is str:
            return read_date(value, dated)
        if value is None or (value.__class__ is float and value - value != 0.0):
            return walk(run)
        return value

    return read


def _root(run: Run, root: str, variable: int | None) -> Any:
    if variable is not None:
        return run.variables[variable]
    try:
        return run.names[root]
    except KeyError:
        return Unknown(f"{root} is missing", "absent")


def _walk(value: Any, keys: Sequence[Key], names: Sequence[str]) -> Any:
    """The way down step by step: the value, or an unknown that names the first step that failed."""
    for key, name, parent in zip(keys, names[1:], names, strict=False):
        value = step(value, key, name, parent)
        if isinstance(value, Unknown):
            return value
    return _named(value, names[-1])


def _named(value: Any, name: str) -> Any:
    if value is None:
        return Unknown(f"{name} is null", "absent")
    if value.__class__ is float and value - value != 0.0:
        return Unknown(f"{name} is {'NaN' if value != value else 'infinite'}", "absent")  # noqa: PLR0124 - tells NaN apart
    return value


def step(value: Any, key: Key, name: str, parent: str) -> Any:
    """One key below `value`; `name` is the whole as written, `parent` what `value` is called."""
    if isinstance(value, Unknown):
        return passed_on(value)
    if value is None:
        return Unknown(f"{parent} is null", "absent")
    if value.__class__ is dict or isinstance(value, Mapping):
        if not isinstance(key, str):
            return Unknown(f"{parent} is an object, its keys are texts", "unusable")
        found = value.get(key, _ABSENT)
        if found is _ABSENT:
            return Unknown(f"{name} is missing", "absent")
        return read_date(found, name) if key in FIELDS and isinstance(found, str) else found
    if isinstance(value, list | tuple | str) and isinstance(key, int):
        try:
            return value[key]
        except IndexError:
            return Unknown(f"{name} is missing: {parent} has {len(value)}", "absent")
    if isinstance(value, list | tuple):
        return Unknown(f"{parent} is a list: pick one element, or use any(… for x in {parent})", "unusable")
    return Unknown(f"{name} is missing: {parent} is {describe(value)}", "absent")


def item(value: Closure, key: Closure, name: str, parent: str) -> Closure:
    """Evaluates `value[key]` with a key that is worked out."""

    def read(run: Run) -> Any:
        holder = value(run)
        if isinstance(holder, Unknown):
            return passed_on(holder)
        wanted = key(run)
        if isinstance(wanted, Unknown):
            return passed_on(wanted)
        if wanted.__class__ is not int and not isinstance(wanted, str):
            return Unknown(f"{name}: the key is {describe(wanted)}, a text or a whole number is needed", "unusable")
        found = step(holder, wanted, name, parent)
        return found if isinstance(found, Unknown) else _named(found, name)

    return read


def part(
    value: Closure, bounds: tuple[Closure | None, Closure | None, Closure | None], name: str, parent: str
) -> Closure:
    """Evaluates `value[start:stop:step]` of a list or a text."""

    def read(run: Run) -> Any:
        whole = value(run)
        if isinstance(whole, Unknown):
            return passed_on(whole)
        if not isinstance(whole, list | tuple | str):
            return Unknown(f"{parent} is {describe(whole)}, a list or a text is needed", "unusable")
        limits: list[int | None] = []
        for bound in bounds:
            limit = None if bound is None else bound(run)
            if isinstance(limit, Unknown):
                return passed_on(limit)
            if limit is not None and limit.__class__ is not int:
                return Unknown(f"{name}: a bound is {describe(limit)}, a whole number is needed", "unusable")
            limits.append(limit)
        if limits[2] == 0:
            return Unknown(f"{name}: the step is zero", "unusable")
        found = whole[slice(*limits)]
        run.spend(len(found) // 4 + 1)
        return list(found) if isinstance(found, tuple) else found

    return read
