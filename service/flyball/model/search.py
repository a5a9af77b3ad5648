"""A structured search of a site: what is asked, and what it was answered last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from flyball.model.levels import Level
from flyball.model.node import Node


class Search(NamedTuple):
    """One question to the site's search index.

    Attributes:
        query: in the site's query language.
        returns: what the hits are: subject, session, acquisition or file.
    """

    query: str
    returns: Level


@dataclass(frozen=True, slots=True)
class Hits:
    """The hits of a search, as names (see `hit_name`).

    Attributes:
        names: of the hits; meaningless where there is a reason.
        reason: why they cannot be had, for people; empty: they are those of the last time.
    """

    names: frozenset[str] = frozenset()
    reason: str = ""


NOT_ASKED = Hits(reason="the site's search was not asked yet")


def hit_name(node: Node) -> str:
    """What a node is called among hits: its id; of a file its container's id and its name (hits have no file ids)."""
    if node.level is not Level.FILE:
        return node.id
    holder = node.doc.get("parent_ref")
    ident = holder.get("id") if isinstance(holder, Mapping) else None
    return file_name(ident, node.label)


def file_name(container: Any, name: Any) -> str:
    """What a file is called among hits."""
    return f"{container}/{name}"
