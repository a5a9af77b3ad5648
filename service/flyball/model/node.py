"""A node: the last state of one container, file, analysis or job that the daemon has read from a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from flyball.model.levels import Level


class Presence(StrEnum):
    """Whether the site still shows the node to our key."""

    PRESENT = "present"
    GONE = "gone"  # 404 on its own GET
    HIDDEN = "hidden"  # 403 on its own GET, or below a parent that cannot be read


class NodeKey(NamedTuple):
    """What identifies a node everywhere in the program: the site's configured name, the level, the id.

    A tuple, since every decision looks up some dozen of them.
    """

    site: str
    level: Level
    id: str


@dataclass(frozen=True, slots=True)
class Node:
    """One node as read.

    Attributes:
        key: site, level, id.
        label: `label` of a container or analysis, `name` of a file, gear name of a job.
        parents: level name → id, for the ancestors that apply (`group`, `project`, … `analysis`).
        created, modified: the site's own UTC times, None where it sent none.
        revision: the site's revision counter, None where it sent none.
        doc: the site's JSON, with `id` for the identifier, without `files` and `analyses` (these are nodes of
            their own) and without a gear's `config` on a job (it may hold licences).
        tags_known: the `tags` in `doc` are real: read singly, or from a list that was proved to carry them.
        info_known: the `info` in `doc` is real, likewise.
        content: fingerprint of what people and scanners put there: everything but tags, notes, `modified`,
            `revision`. Decides whether a change restarts `settle`.
        whole: fingerprint of everything but `modified` and `revision`. Equal means: nothing new to read.
        settled_from: site time of the last change of `content`.
        presence: whether it is still there.
    """

    key: NodeKey
    label: str
    parents: Mapping[str, str]
    created: datetime | None
    modified: datetime | None
    revision: int | None
    doc: Mapping[str, Any]
    tags_known: bool = True
    info_known: bool = True
    content: str = ""
    whole: str = ""
    settled_from: datetime | None = None
    presence: Presence = Presence.PRESENT

    @property
    def level(self) -> Level:
        """The node's level."""
        return self.key.level

    @property
    def id(self) -> str:
        """The node's id: 24 hex digits on Flywheel; container id and name for files of a site without file ids."""
        return self.key.id

    def with_presence(self, presence: Presence) -> Node:
        """The same node, seen to be `presence`."""
        return replace(self, presence=presence)


@dataclass(frozen=True, slots=True)
class Target:
    """What one rule looks at: one node or one matrix cell. `path` is made of labels, for people."""

    site: str
    level: Level
    id: str
    path: str = ""

    @property
    def key(self) -> NodeKey:
        """The node behind the target."""
        return NodeKey(self.site, self.level, self.id)

    def as_json(self) -> dict[str, str]:
        """`{"level", "id", "path"}`."""
        return {"level": str(self.level), "id": self.id, "path": self.path}


@dataclass(frozen=True, slots=True)
class Summary:
    """What lies below a project as a whole, where nothing reads it one by one.

    Attributes:
        settled_from, data_time: as of a `Document`, of what lies below.
        hidden: how many containers or files below cannot be read.
        state: level → fingerprint of what the rule's effects rest on; equal means that they would come out the same.
    """

    settled_from: datetime | None = None
    data_time: datetime | None = None
    hidden: int = 0
    state: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """The present state of a target, assembled from nodes, as the rules read it.

    Attributes:
        target: what it is about.
        names: root names → JSON: `project`, `subject`, … down to the target's own level, `group` as
            `{"id": …}`; missing ancestors are absent.
        node: the target's own node.
        ancestors: level → node, for `why` and for destinations.
        subtree: all present nodes below the target (sessions, acquisitions, files), when the rule looks below.
        complete: False when something of it could not be read (a hidden parent, a level not listed yet).
        reason: why it is not complete, for people.
        summary: of what lies below, for a rule whose effects go by it as a whole; the subtree may be left out then.
        runs: jobs of the gears that the rule asks about, on the target or below it.
        hits: search → hits (`model.search`), for the searches of the rule.
    """

    target: Target
    names: Mapping[str, Any]
    node: Node
    ancestors: Mapping[Level, Node] = field(default_factory=dict)
    subtree: tuple[Node, ...] = ()
    complete: bool = True
    reason: str = ""
    summary: Summary | None = None
    runs: tuple[Node, ...] = ()
    hits: Mapping[Any, Any] = field(default_factory=dict)

    @property
    def settled_from(self) -> datetime | None:
        """Newest change of an acquisition or file at or below the target (site time), for `settle`."""
        times = [
            node.settled_from
            for node in (self.node, *self.subtree)
            if node.settled_from is not None and node.level in (Level.ACQUISITION, Level.FILE)
        ]
        if self.summary is not None and self.summary.settled_from is not None:
            times.append(self.summary.settled_from)
        return max(times, default=None)

    @property
    def data_time(self) -> datetime | None:
        """Newest creation of a container, or change of a file, at or below the target (site time), for `since`."""
        times = [time for node in (self.node, *self.subtree) if (time := data_time(node)) is not None]
        if self.summary is not None and self.summary.data_time is not None:
            times.append(self.summary.data_time)
        return max(times, default=None)


def data_time(node: Node) -> datetime | None:
    """When the node's data came: creation, for files also replacement or change of content."""
    if node.level is Level.FILE and node.settled_from is not None and node.created is not None:
        return max(node.created, node.settled_from)
    return node.created
