"""From a site's JSON to nodes: tolerant of what a site leaves out, strict about what the mirror keeps.

Facts used: list rows carry `files`, single answers `analyses` too; unset attributes may be absent; `parents` names the
ancestors, an embedded file has none of its own on older sites; running jobs' heartbeats move `modified` (live19).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flyball.ledger.prints import content_of
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.model.times import parse_time
from flyball.rules.keys import whole_of

_KEPT_APART = frozenset({"analyses", "permissions", "info_exists", "join-origin", "_id", "container_type"})
_JOB_FIELDS = frozenset(
    {
        "id",
        "state",
        "tags",
        "gear_id",
        "gear_info",
        "destination",
        "parents",
        "retried",
        "attempt",
        "failure_reason",
        "previous_job_id",
        "original_job_id",
        "transitions",
        "inputs",
        "label",
        "priority",
        "origin",
        "created",
        "modified",
        "saved_files",
        "batch",
    }
)
_JOINED = ("_id", "id", "label", "code")  # what is kept of a subject that a site joins into its sessions
_LARGEST_COUNT = 2**63
_INFORMED = frozenset({*CONTAINERS, Level.FILE, Level.ANALYSIS})
_ABOVE = ("group", *map(str, CONTAINERS))
_MAP = (dict, Mapping)  # dict first: what rows are, and asked for quickly


@dataclass(frozen=True, slots=True)
class Trust:
    """How far a row's tags and info are real: read singly, or from a list that was proved to carry them."""

    tags: bool = True
    info: bool = True


SINGLE = Trust()


def nodes_of(
    site: str, level: Level, row: Mapping[str, Any], trust: Trust, *, with_files: bool = True
) -> Iterator[Node]:
    """The node of a row, and, `with_files`, those of the files that a container's row carries.

    A row without id gives none. Files are taken from one source only, the containers' rows or `/files`, since the
    two show different fields of them.
    """
    if level is Level.FILE:
        yield from _file(site, row, parents_of(level, row), row.get("parent_ref"), trust)
        return
    ident = row.get("id") or row.get("_id")
    if not isinstance(ident, str):
        return
    parents = parents_of(level, row)
    yield _node(site, level, ident, label_of(level, row), parents, _document(level, row, ident), _seen(trust, row))
    files = row.get("files")
    if with_files and level in CONTAINERS and isinstance(files, list):
        below = {**parents, str(level): ident}
        for entry in files:
            if isinstance(entry, Mapping):
                yield from _file(site, entry, below, {"type": str(level), "id": ident}, trust)


def _seen(trust: Trust, row: Mapping[str, Any]) -> Trust:
    """A row that says itself that it has no info hides none."""
    return trust if trust.info or row.get("info_exists") is not False else Trust(trust.tags, info=True)


def _document(level: Level, row: Mapping[str, Any], ident: str) -> dict[str, Any]:
    """What is kept of a row."""
    if level is Level.JOB:
        doc = {key: value for key, value in row.items() if key in _JOB_FIELDS}
    else:
        doc = {key: value for key, value in row.items() if key not in _KEPT_APART}
    if level in CONTAINERS:
        doc.pop("files", None)  # nodes of their own; those of an analysis stay with it
    if level is Level.SESSION and isinstance(doc.get("subject"), Mapping):
        doc["subject"] = {key: value for key, value in doc["subject"].items() if key in _JOINED}
    if level is Level.ANALYSIS and isinstance(doc.get("job"), Mapping):
        doc["job"] = doc["job"].get("id")  # lists show the id alone
    doc["id"] = ident
    return doc


def _file(
    site: str, entry: Mapping[str, Any], parents: Mapping[str, str], parent_ref: Any, trust: Trust
) -> Iterator[Node]:
    name = entry.get("name")
    if not isinstance(parent_ref, Mapping) or not isinstance(name, str):
        return
    if parent_ref.get("type") == "analysis":  # outputs: they belong to the analysis, not to the hierarchy
        return
    ident = _text(entry.get("file_id") or f"{parent_ref.get('id')}/{name}")
    doc = {key: value for key, value in entry.items() if key not in _KEPT_APART}
    above = {**parents, str(parent_ref.get("type")): str(parent_ref.get("id"))}
    doc |= {"id": ident, "parent_ref": dict(parent_ref), "parents": above}
    # A file's tags travel with it in every list that is known (live19 and the SDK's models).
    seen = Trust(tags="tags" in entry, info=_seen(trust, entry).info)
    node = _node(site, Level.FILE, ident, _text(name), above, doc, seen)
    yield node.with_presence(Presence.GONE) if entry.get("deleted") else node


def _node(
    site: str, level: Level, ident: str, label: str, parents: Mapping[str, str], doc: dict[str, Any], trust: Trust
) -> Node:
    if not trust.tags:
        doc.pop("tags", None)  # a hidden list reads []: unknown must not look like none
    else:  # unset attributes may be absent or null
        tags = doc.get("tags")
        doc["tags"] = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    informed = level in _INFORMED
    if informed and not trust.info:
        doc.pop("info", None)
    elif informed and doc.get("info") is None:
        doc["info"] = {}
    created = parse_time(doc.get("created"))
    modified = parse_time(doc.get("modified")) or created
    return Node(
        key=NodeKey(site, level, ident),
        label=label,
        parents=parents,
        created=created,
        modified=modified,
        revision=_revision(doc.get("revision")),
        doc=doc,
        tags_known=trust.tags,
        info_known=trust.info,
        content=content_of(parents, doc),
        whole=whole_of(doc),
        settled_from=modified,  # where nothing is known of it yet
    )


def _revision(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_COUNT
    return value if fits else None


def label_of(level: Level, row: Mapping[str, Any]) -> str:
    """What people call it: label, name, or a job's gear."""
    if level is Level.JOB:
        gear = row.get("gear_info")
        return _text((gear.get("name") if isinstance(gear, Mapping) else None) or row.get("label") or row.get("id"))
    return _text(row.get("label") or row.get("name") or row.get("code"))


def _text(value: Any) -> str:
    """As a text that can be stored; lone halves of characters become question marks."""
    return "" if value is None else str(value).encode("utf-8", "replace").decode()


def parents_of(level: Level, row: Mapping[str, Any]) -> dict[str, str]:
    """Level name → id of the ancestors, from `parents`, else from the older direct fields.

    A job or analysis without them hangs at least on its destination or parent.
    """
    found: dict[str, str] = {}
    parents = row.get("parents")
    if isinstance(parents, _MAP):
        found = {name: value for name, value in parents.items() if isinstance(value, str)}
    if level in (Level.JOB, Level.ANALYSIS):
        reference = row.get("destination" if level is Level.JOB else "parent")
        if isinstance(reference, Mapping) and isinstance(reference.get("id"), str):
            found.setdefault(str(reference.get("type")), reference["id"])
    for name in _ABOVE:
        if name in found or (value := row.get(name)) is None or name == level:
            continue
        if isinstance(value, _MAP):
            value = value.get("_id") or value.get("id")
        if isinstance(value, str):
            found[name] = value
    found.pop(str(level), None)
    return found
