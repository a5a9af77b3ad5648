"""The nodes of a rule's test: documents as people write them, with their lists, become nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from flyball.configfile.durations import shortened
from flyball.model.levels import CONTAINERS, HIERARCHY, Level, above
from flyball.model.node import Node, NodeKey
from flyball.model.times import parse_time
from flyball.rules.reading.names import a
from flyball.rules.selection import LISTS

_NOT_READ: Final = frozenset({"analyses"})  # the site sends them with a container; a rule never sees them there
_INFORMED: Final = frozenset({*CONTAINERS, Level.FILE, Level.ANALYSIS})


UNTOLD: Final = "?"
"""The label of what a test does not name."""


class GivenError(Exception):
    """`given` cannot be made into a document; the text says what would be right."""


class Making:
    """Makes nodes; ids that are not given are counted up, so that what comes first is first."""

    def __init__(self, site: str) -> None:
        self._site = site
        self._count = 0

    def node(self, level: Level, doc: Mapping[str, Any], parents: Mapping[str, str]) -> tuple[Node, list[Node]]:
        """The node, and all that its lists hold."""
        lists = {key for key, one in LISTS.items() if level in CONTAINERS and key in doc}
        plain = {key: value for key, value in doc.items() if key not in lists and key not in _NOT_READ}
        ident = plain.get("id") or plain.get("_id")
        if not isinstance(ident, str) or not ident:
            self._count += 1
            ident = f"{self._count:024x}"
        above_it = {str(name): str(one) for name, one in parents.items()}
        if level in _INFORMED and plain.get("info") is None:
            plain["info"] = {}
        if not isinstance(plain.get("tags"), list):
            plain["tags"] = []
        plain |= {"id": ident, "parents": {**above_it, **mapping(plain.get("parents"), "parents")}}
        if level is Level.PROJECT and above_it.get("group"):
            plain.setdefault("group", above_it["group"])
        if level is Level.FILE and not isinstance(plain.get("parent_ref"), Mapping):
            holder = next((str(one) for one in reversed(CONTAINERS) if str(one) in above_it), "acquisition")
            plain["parent_ref"] = {"type": holder, "id": above_it.get(holder, "")}
        node = Node(
            NodeKey(self._site, level, ident),
            _label(level, plain),
            above_it,
            parse_time(plain.get("created")),
            parse_time(plain.get("modified")) or parse_time(plain.get("created")),
            None,
            plain,
        )
        return node, self.below(node, doc)

    def below(self, node: Node, doc: Any) -> list[Node]:
        """What the lists of a container's document hold, all the way down."""
        found: list[Node] = []
        if not isinstance(doc, Mapping) or node.level not in CONTAINERS:
            return found
        deeper = HIERARCHY[HIERARCHY.index(node.level) + 1]
        for key, level in LISTS.items():
            if key not in doc:
                continue
            if level not in (deeper, Level.FILE):
                raise GivenError(f"`{key}` stands below a {above(level)[-1]}, not below {a(node.level)}")
            if not isinstance(doc[key], Sequence) or isinstance(doc[key], str):
                raise GivenError(f"`{key}` is a list of documents: [{{label: …}}, …]")
            for entry in doc[key]:
                short = {"name" if level is Level.FILE else "label": entry} if isinstance(entry, str) else entry
                made, lower = self.node(level, mapping(short, key), {**node.parents, str(node.level): node.id})
                found += [made, *lower]
        return found


def with_lists(node: Node, members: Sequence[Node]) -> dict[str, Any]:
    """A container's document with `files`, `acquisitions` and so on, all the way down, by creation, then id."""
    top = dict(node.doc)
    made: dict[tuple[str, str], dict[str, Any]] = {(str(node.level), node.id): top}
    made |= {(str(one.level), one.id): dict(one.doc) for one in members}
    names = {level: key for key, level in LISTS.items()}
    for (holder, _), doc in made.items():
        if holder in CONTAINERS:
            lower = HIERARCHY[HIERARCHY.index(Level(holder)) + 1]
            doc |= {names[level]: [] for level in (lower, Level.FILE)}
    last = datetime.max.replace(tzinfo=UTC)
    for one in sorted(members, key=lambda member: (member.created or last, member.id)):
        holder = next(str(level) for level in reversed(above(one.level)) if str(level) in one.parents)
        made[holder, one.parents[holder]][names[one.level]].append(made[str(one.level), one.id])
    return top


def mapping(value: Any, name: str) -> Mapping[str, Any]:
    """A document as written; an empty one for null.

    Raises:
        GivenError: when it is something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise GivenError(f"`{name}` is a document: a mapping of fields, not {shortened(value)}")
    return value


def _label(level: Level, doc: Mapping[str, Any]) -> str:
    if level is Level.JOB:
        gear = doc.get("gear_info")
        return str((gear.get("name") if isinstance(gear, Mapping) else None) or doc.get("label") or UNTOLD)
    return str((doc.get("name") if level is Level.FILE else doc.get("label")) or UNTOLD)
