"""Summing up: what lies below a project as a whole, without loading it. And streaming it, row by row, to a sink.

A project has a hundred thousand nodes; rules that only ask "has anything changed", "since when is it quiet" get four
numbers of it, and reports get its nodes one after another, from one snapshot.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from typing import Any

from sqlalchemy import Connection, func, or_, select

from flyball.ledger.codec import moment_or_none, row_node
from flyball.ledger.tables import nodes
from flyball.model.levels import HIERARCHY, Level, below
from flyball.model.node import Node, NodeKey, Presence, Summary

PAGE = 1000  # rows at a time
_PRESENT = str(Presence.PRESENT)
_HELD_BY_NAME = frozenset({str(Level.JOB), str(Level.ANALYSIS)})  # what counts of these is more than their content


def sum_below(connection: Connection, project: NodeKey, rests_on: Collection[Level]) -> Summary:
    """What lies below a project, summed up.

    Args:
        connection: of the transaction.
        project: the project's key.
        rests_on: the levels whose state goes into `Summary.state`. Files of the project itself do not: reports are
            such files, and a report is no reason for a report.
    """
    under = [str(level) for level in below(Level.PROJECT)]
    mine = (nodes.c.site == project.site, nodes.c.project == project.id)
    times = select(
        func.max(nodes.c.settled_from).filter(nodes.c.level.in_((str(Level.ACQUISITION), str(Level.FILE)))),
        func.max(nodes.c.created),
        func.max(nodes.c.settled_from).filter(nodes.c.level == str(Level.FILE), nodes.c.created.is_not(None)),
    ).where(*mine, nodes.c.level.in_(under), nodes.c.presence == _PRESENT)
    settled, created, changed = connection.execute(times).one()
    hidden = connection.execute(
        select(func.count()).where(*mine, nodes.c.level.in_(under), nodes.c.presence == str(Presence.HIDDEN))
    ).scalar()
    newest = max((time for time in (created, changed) if time is not None), default=None)
    return Summary(
        settled_from=moment_or_none(settled),
        data_time=moment_or_none(newest),
        hidden=int(hidden or 0),
        state=_state(connection, project, rests_on) if rests_on else {},
    )


def _state(connection: Connection, project: NodeKey, levels: Collection[Level]) -> dict[str, str]:
    """A fingerprint of each of some levels below a project, whatever order the database gives the rows in."""
    query = select(nodes.c.level, nodes.c.id, nodes.c.content, nodes.c.whole).where(*_in(project, levels))
    totals = {str(level): (0, 0) for level in levels}
    for level, ident, content, whole in connection.execute(query.execution_options(yield_per=PAGE)):
        said = whole if level in _HELD_BY_NAME else content
        mark = hashlib.blake2b(f"{level}/{ident}/{said}".encode(), digest_size=16).digest()
        count, total = totals[level]
        totals[level] = (count + 1, (total + int.from_bytes(mark, "big")) % 2**128)
    return {level: f"{count}:{total:032x}" for level, (count, total) in sorted(totals.items())}


def stream_below(
    connection: Connection, project: NodeKey, levels: Iterable[Level], sink: Callable[[Node], None]
) -> None:
    """Hand the present nodes of some levels below a project to `sink`, one by one, of one snapshot."""
    for level in levels:
        query = select(nodes).where(*_in(project, [level])).execution_options(yield_per=PAGE)
        for row in connection.execute(query):
            sink(row_node(row))


def _in(project: NodeKey, levels: Collection[Level]) -> tuple[Any, ...]:
    deeper = [nodes.c[str(level)].is_not(None) for level in HIERARCHY[1:-1]]
    return (
        nodes.c.site == project.site,
        nodes.c.project == project.id,
        nodes.c.level.in_([str(level) for level in levels]),
        nodes.c.presence == _PRESENT,
        or_(nodes.c.level != str(Level.FILE), *deeper),
    )
