"""What an analysis holds against what it should hold, and against what we put there last. Pure.

The server answers 200 to edits that it drops, and keeps no version of an analysis; so contents are compared by value.
Ids have no order there. Fingerprints of what we sent last tell our own content from what people made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.rules.keys import fingerprint

Json = Mapping[str, Any]
CONTENT = ("name", "dataset_id", "model", "predictors", "runs")
"""What an analysis is; its description, which carries the once-key, is apart."""

_SETS = frozenset({"predictors", "runs"})
_SHOWN = 60


def prints(content: Json) -> dict[str, str]:
    """Field → short fingerprint of its value."""
    return {field: fingerprint(_plain(field, content.get(field)))[:12] for field in CONTENT}


def differing(present: Json, wanted: Json) -> list[str]:
    """The fields in which an analysis differs from what it should hold."""
    return [field for field in CONTENT if _plain(field, present.get(field)) != _plain(field, wanted.get(field))]


def by_people(present: Json, wanted: Json, sent: Mapping[str, str]) -> list[str]:
    """The fields that people changed since we wrote them: neither what we sent last, nor what is to be sent now.

    Args:
        present: the analysis as it is.
        wanted: what it should hold.
        sent: fingerprints of what was sent last; empty: nothing is known of it, so nothing counts as changed.
    """
    here, now = prints(present), prints(wanted)
    return [field for field in CONTENT if field in sent and here[field] not in (sent[field], now[field])]


def told(present: Json, wanted: Json, fields: list[str]) -> str:
    """Differences for people: `predictors: 3, 4 (here: 3)`."""
    return "; ".join(
        f"{field}: {_short(field, present.get(field))} (the rule: {_short(field, wanted.get(field))})"
        for field in fields
    )


def _short(field: str, value: Any) -> str:
    if field == "model":
        return f"another model {fingerprint(_plain(field, value))[:6]}"
    text = ", ".join(map(str, _plain(field, value))) if field in _SETS else str(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _plain(field: str, value: Any) -> Any:
    """A value without what the server does not keep: the order of ids, and nulls that stand for nothing."""
    if field in _SETS:
        return sorted(one for one in value if isinstance(one, int)) if isinstance(value, list | tuple) else []
    if field == "model":
        return _whole(value)
    return "" if value is None else value


def _whole(value: Any) -> Any:
    """Numbers that are equal are written alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _whole(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(one) for one in value]
    return value
