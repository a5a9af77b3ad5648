"""Echoes: our own writes, as they come back from the site."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from flyball.ledger.mirror import Change, chunks
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState
from flyball.model.node import NodeKey, Presence
from flyball.rules.claims import TAG
from flyball.rules.keys import NOT_READ

_SIGNED = re.compile(r" \[fb-[a-z2-7]{6}\]$")
_UNDER_WAY = (str(EffectState.RUNNING), str(EffectState.WAITING))
_DONE = str(EffectState.DONE)


def echoes(connection: Connection, changes: Sequence[Change]) -> set[NodeKey]:
    """The nodes in which nothing changed but tags and notes that this daemon is writing or has just written.

    A tag that we set is in the mirror as soon as the site's answer is. Until then a page may bring it first: the
    attempt is on record. Our notes are known by the key at their end.
    """
    lanes: dict[str, tuple[NodeKey, tuple[str, ...]]] = {}
    own: set[NodeKey] = set()
    for change in changes:
        tags = _written(change)
        if tags is None:
            continue
        key = change.node.key
        own.add(key)
        # where the tags were not known before, one that we set is no news either
        states = _UNDER_WAY if change.before is None or change.before.tags_known else (*_UNDER_WAY, _DONE)
        lanes |= {f"{key.site}/{key.level}/{key.id}/{tag}": (key, states) for tag in tags}
    ours: set[str] = set()
    for some in chunks(sorted(lanes)):
        query = select(effects.c.lane, effects.c.state).where(effects.c.lane.in_(some), effects.c.kind == TAG)
        ours.update(row.lane for row in connection.execute(query) if row.state in lanes[row.lane][1])
    return own - {key for lane, (key, _) in lanes.items() if lane not in ours}


def _written(change: Change) -> set[str] | None:
    """The tags that differ, when nothing else does but notes of ours; None when something else does."""
    before, node = change.before, change.node
    if before is None or node.presence is not Presence.PRESENT or before.presence is not Presence.PRESENT:
        return None
    if node.info_known and before.info_known and node.content != before.content:
        return None  # the quick way for most changes: labels, info and the like differ
    fields = {*before.doc, *node.doc} - NOT_READ
    differing = {name for name in fields if before.doc.get(name) != node.doc.get(name)}
    if not node.info_known:
        differing.discard("info")  # hidden in this reading
    if not differing or not differing <= {"tags", "notes"}:
        return None
    if "notes" in differing and not _our_notes(before.doc.get("notes"), node.doc.get("notes")):
        return None
    if "tags" in differing and not node.tags_known:
        return None
    return _texts(before.doc.get("tags")) ^ _texts(node.doc.get("tags"))


def _our_notes(before: Any, after: Any) -> bool:
    old = before if isinstance(before, list) else []
    new = after if isinstance(after, list) else []
    added = [note for note in new if note not in old]
    return all(note in new for note in old) and all(
        isinstance(note, Mapping) and _SIGNED.search(str(note.get("text", ""))) is not None for note in added
    )


def _texts(tags: Any) -> set[str]:
    return {tag for tag in tags if isinstance(tag, str)} if isinstance(tags, list) else set()
