"""Hints: what led to a look is there for the rules that read it, and for no others."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, create_engine

from fakes.bench import rules_of
from flyball.events.hints import with_hints
from flyball.ledger.noticing import Seen, store_events
from flyball.ledger.tables import metadata
from flyball.model.levels import Level
from flyball.model.node import Document, Target
from flyball.rules.rule import Rule
from unit.ledger.test_mirror import read

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SEEN = Seen("pilot", "webhook", "", "", "acquisition:a1", {"hook": "lab", "id": "forged", "body": {"verdict": "poor"}})


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def rule(condition: str) -> Rule:
    """A rule on acquisitions."""
    text = f'rules: [{{id: r, each: acquisition, since: all, if: "{condition}", do: [{{alert: {{title: x}}}}]}}]'
    return rules_of(text)[0]


def document() -> Document:
    """Some acquisition's."""
    return Document(Target("pilot", Level.ACQUISITION, "a1"), {"acquisition": {"id": "a1"}}, read("acquisition", "a1"))


def test_the_event_is_a_name_of_those_who_read_it(connection: Connection) -> None:
    """With what it told, and what is known of it; what a sender writes does not stand for what we know."""
    number = next(iter(store_events(connection, [SEEN], source="webhook", now=NOW).values()))
    asking, other = rule("event.body.verdict == 'poor'"), rule("acquisition.label == 'x'")
    found = with_hints(connection, [(asking, number), (other, number)], [document(), document()])
    assert found[0] is not None
    assert found[0].names["event"] == {
        "id": str(number),
        "site": "pilot",
        "kind": "webhook",
        "source": "webhook",
        "level": "",
        "node": "",
        "path": "acquisition:a1",
        "seen": "2026-05-01T12:00:00+00:00",
        "hook": "lab",
        "body": {"verdict": "poor"},
    }
    assert found[0].names["acquisition"] == {"id": "a1"}
    assert found[1] == document()


def test_without_an_event_there_is_no_name(connection: Connection) -> None:
    """A look that nothing led to, an event that is not kept any more, and a target that is not there."""
    asking = rule("event.kind == 'new'")
    looks = [(asking, None), (asking, 12345), (asking, 12345)]
    assert with_hints(connection, looks, [document(), document(), None]) == [document(), document(), None]
