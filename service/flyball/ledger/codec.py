"""Between values and rows: times, JSON, nodes, effects."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from flyball.model.effect import Effect, EffectState
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence, Target

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS
_WHOLE = 1 << 63
_LARGEST = 10**300
_DEEPEST = 100
_LEVELS = {str(level): level for level in Level}
_STATES = {str(state): state for state in EffectState}
_PRESENCES = {str(presence): presence for presence in Presence}


def micros(time: datetime) -> int:
    """A time with zone as UTC microseconds since the epoch."""
    return (time - _EPOCH) // _MICROSECOND


def micros_or_none(time: datetime | None) -> int | None:
    """Likewise; None stays None."""
    return None if time is None else micros(time)


def moment(value: int) -> datetime:
    """The inverse of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def moment_or_none(value: int | None) -> datetime | None:
    """Likewise; None stays None."""
    return None if value is None else moment(value)


def pack(value: Any) -> bytes:
    """JSON as bytes; keys sorted, so that equal values have equal bytes. NaN and infinities become null.

    Takes whatever a site or a rule file may hold: what JSON or the encoder cannot (whole numbers of more than 64 bits,
    broken Unicode, hundreds of levels) is kept as near as can be, since one odd value must not stop the daemon.
    """
    try:
        return orjson.dumps(value, default=_plain, option=_OPTIONS)
    except TypeError:
        return orjson.dumps(_tamed(value), default=_plain, option=_OPTIONS)


def unpack(data: bytes | None) -> Any:
    """The inverse of `pack`; None stays None."""
    return None if data is None else orjson.loads(data)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=str)
    if isinstance(value, tuple):
        return list(value)
    return str(value)


def _tamed(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool):
        return value if -_WHOLE <= value < _WHOLE else float(value) if abs(value) < _LARGEST else str(value)
    if depth >= _DEEPEST:
        return f"… {type(value).__name__}"
    if isinstance(value, Mapping):
        return {str(_tamed(str(key))): _tamed(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_tamed(item, depth + 1) for item in value]
    return value


def node_row(node: Node) -> dict[str, Any]:
    """A node as a row of `nodes`."""
    parents = node.parents
    return {
        "site": node.key.site,
        "level": str(node.level),
        "id": node.id,
        "label": node.label,
        "project": parents.get("project"),
        "subject": parents.get("subject"),
        "session": parents.get("session"),
        "acquisition": parents.get("acquisition"),
        "parents": pack(parents),
        "created": micros_or_none(node.created),
        "modified": micros_or_none(node.modified),
        "revision": node.revision,
        "settled_from": micros_or_none(node.settled_from),
        "content": node.content,
        "whole": node.whole,
        "tags_known": node.tags_known,
        "info_known": node.info_known,
        "presence": str(node.presence),
        "doc": pack(node.doc),
    }


def row_node(row: Any) -> Node:
    """A row of `nodes`, with all columns in their order, as a node."""
    # Taken apart at once: asked for one by one, the columns cost more than the rest, and every decision reads nodes.
    site, level, ident, label, _, _, _, _, parents, created, modified, revision, settled, *rest = row
    content, whole, tags_known, info_known, presence, doc = rest
    return Node(
        NodeKey(site, _LEVELS[level], ident),
        label,
        orjson.loads(parents),
        moment_or_none(created),
        moment_or_none(modified),
        revision,
        orjson.loads(doc),
        tags_known,
        info_known,
        content,
        whole,
        moment_or_none(settled),
        _PRESENCES[presence],
    )


def row_target(row: Any) -> Target:
    """The target columns of a row (`site`, `level`, `target`, `path`)."""
    return Target(row.site, _LEVELS[row.level], row.target, row.path)


def row_effect(row: Any) -> Effect:
    """A row of `effects`, with all columns in their order, as an effect."""
    # Taken apart at once, as in `row_node`: every attempt reads one.
    ident, site, rule, _, level, target, path, kind, state, once_key, _, _, slot, summary, params, *rest = row
    created, updated, due, _, attempts, failures, unclear, looked, _, _, outcome, _, _, error, *_ = rest
    return Effect(
        str(ident),
        site,
        rule,
        Target(site, _LEVELS[level], target, path),
        kind,
        _STATES[state],
        once_key,
        slot,
        summary,
        orjson.loads(params),
        moment(created),
        moment(updated),
        attempts,
        unclear,
        looked,
        unpack(outcome),
        error,
        moment_or_none(due),
        failures,
    )
