"""Hints: what led to a look, as the name `event` of expressions and templates.

Present state decides, and a target has one look however many hints there were. So the name stands for the last of them
only, and a look that nothing led to (an edit, a first listing, a request of a person) has none: what hangs on it is
unknown then, which leaves things as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection

from flyball.ledger.noticing import load_events
from flyball.model.node import Document
from flyball.rules.rule import Rule

EVENT = "event"


def with_hints(
    connection: Connection, looks: Sequence[tuple[Rule, int | None]], documents: Sequence[Document | None]
) -> list[Document | None]:
    """The documents with the events that led to them, for the rules that read `event`.

    Args:
        connection: of the transaction.
        looks: the rule and the number of the event, for each document.
        documents: in the same order.
    """
    asked = [number if any(path[0] == EVENT for path in rule.reads) else None for rule, number in looks]
    known = load_events(connection, {number for number in asked if number is not None})
    return [
        replace(document, names={**document.names, EVENT: known[number]})
        if document is not None and number in known
        else document
        for number, document in zip(asked, documents, strict=True)
    ]
