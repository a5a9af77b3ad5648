"""Finding the target that people name: by its id, or by its path of labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, func, select

from flyball.ledger.codec import unpack
from flyball.ledger.tables import nodes
from flyball.model.levels import CONTAINERS, Level
from flyball.model.node import NodeKey

_LEAVES: Final = (str(Level.FILE), str(Level.ANALYSIS), str(Level.JOB))


def find_target(connection: Connection, text: str) -> list[NodeKey]:
    """The nodes with this id, or with this path (`group/project/subject/session/acquisition/file`).

    Several when sites have the same labels, or when one label holds a slash that another path has between two; none
    when the mirror knows no such node. What is gone from the site is found too, since the ledger still tells of it.
    """
    sites = list(_sites(connection))
    levels = [str(level) for level in Level]
    query = select(nodes.c.site, nodes.c.level, nodes.c.id).where(
        nodes.c.site.in_(sites), nodes.c.level.in_(levels), nodes.c.id == text
    )
    found = [NodeKey(row.site, Level(row.level), row.id) for row in connection.execute(query)]
    if found or "/" not in text:
        return found
    return [key for site in sites for key in _by_path(connection, site, text.strip("/"))]


def _sites(connection: Connection) -> Iterator[str]:
    """The sites in the mirror, by one probe of the key each; a DISTINCT would read all of it."""
    last = ""
    while (last := connection.scalar(select(func.min(nodes.c.site)).where(nodes.c.site > last)) or "") != "":
        yield last


def _by_path(connection: Connection, site: str, path: str) -> Iterator[NodeKey]:
    query = select(nodes.c.id, nodes.c.label, nodes.c.parents).where(
        nodes.c.site == site, nodes.c.level == str(Level.PROJECT)
    )
    for row in connection.execute(query).all():
        top = f"{unpack(row.parents).get('group', '?')}/{row.label}"
        key = NodeKey(site, Level.PROJECT, row.id)
        if path == top:
            yield key
        elif path.startswith(f"{top}/"):
            yield from _below(connection, key, path[len(top) + 1 :])


def _below(connection: Connection, upper: NodeKey, rest: str) -> Iterator[NodeKey]:
    """What `rest` names below a container. A label may hold slashes, so that every first part of `rest` is tried."""
    deeper = CONTAINERS[CONTAINERS.index(upper.level) + 1 :]
    directly: list[Any] = [nodes.c.site == upper.site, nodes.c[str(upper.level)] == upper.id]
    if deeper:
        parts = rest.split("/")
        firsts = ["/".join(parts[: count + 1]) for count in range(len(parts))]
        query = select(nodes.c.id, nodes.c.label).where(
            *directly, nodes.c.level == str(deeper[0]), nodes.c.label.in_(firsts)
        )
        for row in connection.execute(query).all():
            key = NodeKey(upper.site, deeper[0], row.id)
            if row.label == rest:
                yield key
            else:
                yield from _below(connection, key, rest[len(row.label) + 1 :])
    alone = [nodes.c[str(level)].is_(None) for level in deeper]
    query = select(nodes.c.level, nodes.c.id).where(
        *directly, *alone, nodes.c.level.in_(_LEAVES), nodes.c.label == rest
    )
    for row in connection.execute(query).all():
        yield NodeKey(upper.site, Level(row.level), row.id)
