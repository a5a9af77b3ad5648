"""The story of one evaluation, part by part, with the values that were read: the answer to `why`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from flyball.rules.expression.trace import Line, Seen
from flyball.rules.expression.values import Unknown, UnknownCount, UnknownList

NOT_NEEDED: Final = "not needed"
MIXED: Final = "mixed"
_TEXT: Final = 120
_ITEMS: Final = 5
_KEYS: Final = 8
_DEPTH: Final = 3
_WHOLE: Final = 1 << 63
_NAMES: Final = ("id", "label", "name")
"""Fields by which a document is shown; its other fields are left out."""


@dataclass(frozen=True, slots=True)
class Because:
    """One part of an expression.

    Args:
        expr: the part as written.
        result: `true`, `false`, `unknown`, `not needed` (never reached), `mixed` (differs from element to element of a
            list), or the value of a part that is no condition.
        values: what the part read, by path or call as written; null for what is unknown, a list of the first few
            values for what was read for each element of a list.
        note: why the result is unknown, or for how many elements it holds; may be empty.
        depth: 0 for the whole expression, 1 for its parts, and so on.
    """

    expr: str
    result: Any
    values: dict[str, Any]
    note: str
    depth: int

    def as_json(self) -> dict[str, Any]:
        return {"expr": self.expr, "result": self.result, "values": self.values, "note": self.note}


@dataclass(frozen=True, slots=True)
class Explanation:
    """All parts of an expression, the whole first, each before its own parts.

    Args:
        value: what the evaluation gave: for a condition True, False or an Unknown, else the value.
    """

    value: Any
    lines: tuple[Because, ...]

    def as_json(self) -> list[dict[str, Any]]:
        """The shape of `because` in `why`: `[{"expr", "result", "values", "note"}, …]`."""
        return [line.as_json() for line in self.lines]


def explanation(value: Any, lines: Sequence[Line], seen: Sequence[Seen]) -> Explanation:
    """Tells what the recorders saw.

    Args:
        value: what the whole evaluation gave; it is the result of the first line.
        lines: the parts that have a line, the whole first.
        seen: what each recorder saw.
    """
    told = [_line(line, seen) for line in lines[1:]]
    whole = lines[0]
    first = Because(whole.text, result_of(value), _values(whole, seen), reason_of(value), 0)
    return Explanation(value, (first, *told))


def result_of(value: Any) -> Any:
    """`true`, `false`, `unknown`, or the trimmed value of what is no condition."""
    if value is True:
        return "true"
    if value is False:
        return "false"
    return "unknown" if isinstance(value, Unknown) else trimmed(value)


def reason_of(value: Any) -> str:
    return value.reason if isinstance(value, Unknown) else ""


def trimmed(value: Any, depth: int = 0) -> Any:
    """`value` as short JSON: long texts, lists and objects are cut, a document shows its id, label and name."""
    if isinstance(value, UnknownCount):
        return f"{value.low} to {value.high}" + (" elements" if isinstance(value, UnknownList) else "")
    if value is None or isinstance(value, Unknown):
        return None
    if isinstance(value, int):
        return value if -_WHOLE < value < _WHOLE else float(value)
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else None
    if isinstance(value, str):
        return value if len(value) <= _TEXT else value[:_TEXT] + "…"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, list | tuple):
        if depth >= _DEPTH:
            return f"… {len(value)}"
        rest = [f"… {len(value)} in all"] if len(value) > _ITEMS else []
        return [*(trimmed(element, depth + 1) for element in value[:_ITEMS]), *rest]
    if isinstance(value, Mapping):
        return _trimmed_object(value, depth)
    return type(value).__name__


def _trimmed_object(value: Mapping[str, Any], depth: int) -> Any:
    if "id" in value or "_id" in value:
        return {key: trimmed(value[key], _DEPTH) for key in ("_id", *_NAMES) if key in value}
    if depth >= _DEPTH:
        return f"… {len(value)}"
    shown = {str(key): trimmed(value[key], depth + 1) for key in list(value)[:_KEYS]}
    if len(value) > _KEYS:
        shown["…"] = f"{len(value)} in all"
    return shown


def _line(line: Line, seen: Sequence[Seen]) -> Because:
    record = seen[line.recorder]
    values = _values(line, seen)
    if not record.times:
        return Because(line.text, NOT_NEEDED, values, "", line.depth)
    note = reason_of(record.doubt)
    if line.looped:
        return Because(line.text, _looped_result(record), values, _counts(record, note), line.depth)
    return Because(line.text, result_of(record.samples[-1]), values, note, line.depth)


def _looped_result(record: Seen) -> Any:
    for count, result in ((record.true, "true"), (record.false, "false"), (record.unknown, "unknown")):
        if count == record.times:
            return result
    return MIXED


def _counts(record: Seen, note: str) -> str:
    parts = [f"true for {record.true} of {record.times}"]
    if record.matches:
        named = ", ".join(str(_label(element)) for element in record.matches)
        parts[0] += f" ({named}{', …' if record.true > len(record.matches) else ''})"
    if record.unknown:
        parts.append(f"unknown for {record.unknown}: {note}")
    return "; ".join(parts)


def _label(element: Any) -> Any:
    if isinstance(element, Mapping):
        for key in ("label", "name", "id", "_id"):
            if isinstance(element.get(key), str):
                return trimmed(element[key])
        return "an object"
    return "unknown" if isinstance(element, Unknown) else trimmed(element)


def _values(line: Line, seen: Sequence[Seen]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for text, recorder, looped in line.values:
        record = seen[recorder]
        if looped and record.times:
            rest = [f"… {record.times} in all"] if record.times > len(record.samples) else []
            values[text] = [*(trimmed(sample) for sample in record.samples), *rest]
        elif record.times:
            values[text] = trimmed(record.samples[0])
    return values
