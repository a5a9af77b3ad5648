"""Comparing the effects that a test expects with those that a rule asks for. Pure.

Each expected effect must match one that is asked for, and there must be as many, in any order. An expected effect names
any subset of the fields: its own (`kind`, `summary`, …) or those of its `params`. `on` is the level of the container.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

Json = Mapping[str, Any]
_NAMES: Final = ("name", "label", "path", "id")
_SHOWN: Final = 300


def effect_differences(expected: Sequence[Json], actual: Sequence[Json]) -> list[str]:
    """What is not as expected, a line each; empty when all is."""
    pairs = _matching(expected, actual)
    found: list[str] = []
    free = [index for index in range(len(actual)) if index not in pairs.values()]
    for index, one in enumerate(expected):
        if index in pairs:
            continue
        line = f"expected effect is not asked for: {written(one)}"
        near = _nearest(one, [actual[number] for number in free])
        found.append(f"{line}; the nearest differs in {near}" if near else line)
    found += [f"effect is asked for and not expected: {actual[index]['summary']}" for index in free]
    return found


def mismatches(expected: Json, actual: Json) -> list[str]:
    """The keys in which an effect is not as expected, with both values."""
    found = []
    for key, wanted in expected.items():
        candidates = _at(str(key), actual)
        if not any(fits(wanted, value) for value in candidates):
            got = written(candidates[0]) if candidates else "nothing"
            found.append(f"`{key}` (expected {written(wanted)}, got {got})")
    return found


def fits(wanted: Any, value: Any) -> bool:
    """Whether a value is as wanted: of a mapping any subset; a text also stands for what is called so."""
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(key in value and fits(one, value[key]) for key, one in wanted.items())
    if isinstance(wanted, (list, tuple)):
        if not isinstance(value, (list, tuple)) or len(wanted) != len(value):
            return False
        return all(fits(one, other) for one, other in zip(wanted, value, strict=True))
    if isinstance(wanted, str) and isinstance(value, Mapping):
        return any(value.get(name) == wanted for name in _NAMES)
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return bool(wanted == value)


def written(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = (
        value if isinstance(value, str) else orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    )
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _at(key: str, actual: Json) -> list[Any]:
    """The values that a key may mean."""
    params = actual.get("params")
    params = params if isinstance(params, Mapping) else {}
    found = [place[key] for place in (actual, params) if key in place]
    if key == "on" and not found and isinstance(params.get("container"), Mapping):
        found.append(params["container"].get("level"))
    return found


def _matching(expected: Sequence[Json], actual: Sequence[Json]) -> dict[int, int]:
    """As many pairs of expected and actual effects as there can be (augmenting paths)."""
    fitting = [[number for number, other in enumerate(actual) if not mismatches(one, other)] for one in expected]
    taken: dict[int, int] = {}  # actual → expected

    def give(index: int, seen: set[int]) -> bool:
        for number in fitting[index]:
            if number in seen:
                continue
            seen.add(number)
            if number not in taken or give(taken[number], seen):
                taken[number] = index
                return True
        return False

    for index in range(len(expected)):
        give(index, set())
    return {index: number for number, index in taken.items()}


def _nearest(expected: Json, others: Sequence[Json]) -> str:
    """In what the most similar effect of the same kind differs; empty when there is none."""
    alike = [mismatches(expected, one) for one in others if one.get("kind") == expected.get("kind", one.get("kind"))]
    best = min((one for one in alike if one), key=len, default=[])
    return ", ".join(best)
