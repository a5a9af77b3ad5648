"""Documents: the present state of a target, with its ancestors and what lies below it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine

from fakes.bench import SITE, node, rules_of
from flyball.events.documents import load_documents
from flyball.ledger.absorbing import absorb, mark_presence
from flyball.ledger.tables import metadata
from flyball.model.levels import Level
from flyball.model.node import Document, NodeKey, Presence
from flyball.rules.rule import Rule
from unit.ledger.test_mirror import read

DO = "do: [{alert: {title: x}}]"
SESSION = f"rules: [{{id: r, each: session, since: all, if: len(session.acquisitions) > 0, {DO}}}]"
FILES = f"rules: [{{id: r, each: file, since: all, if: len(acquisition.files) > 1, {DO}}}]"
PLAIN = f"rules: [{{id: r, each: acquisition, since: all, if: acquisition.label == 'x', {DO}}}]"
JOB = f"rules: [{{id: r, each: job, since: all, if: session.label == 'x', {DO}}}]"


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def rule(text: str) -> Rule:
    """The only rule of a file."""
    return rules_of(text)[0]


def lab(connection: Connection) -> None:
    """One of each level, a second file, and a second acquisition that came first."""
    early = {"group": "scien", "project": "p1", "subject": "s1", "session": "e1"}
    nodes = [
        read("project", "p1"),
        read("subject", "s1"),
        read("session", "e1"),
        read("acquisition", "a1"),
        read("acquisition", "a0", parents=early, hours=-5, label="first"),
        read("file", "f1", name="b.nii.gz"),
        read("file", "f2", name="a.nii.gz", hours=-2),
    ]
    absorb(connection, nodes)


def document(connection: Connection, text: str, level: str, ident: str) -> Document | None:
    """The document of one target."""
    return load_documents(connection, [(rule(text), NodeKey(SITE, Level(level), ident))])[0]


def needed(found: Document | None) -> Document:
    """It must be there."""
    assert found is not None
    return found


def test_a_target_with_its_ancestors(connection: Connection) -> None:
    """Each under its level's name; the path is made of labels."""
    lab(connection)
    found = needed(document(connection, PLAIN, "acquisition", "a1"))
    assert found.target.path == "scien/tome/1001/Session 1/T1w"
    assert {name: found.names[name]["id"] for name in ("project", "subject", "session", "acquisition")} == {
        "project": "p1",
        "subject": "s1",
        "session": "e1",
        "acquisition": "a1",
    }
    assert found.names["group"] == {"id": "scien"}
    assert found.complete
    assert found.subtree == ()
    assert "files" not in found.names["acquisition"]


def test_what_lies_below_is_there_where_the_rule_names_it(connection: Connection) -> None:
    """In the order of creation; every list is there, empty ones too."""
    lab(connection)
    found = needed(document(connection, SESSION, "session", "e1"))
    session: Any = found.names["session"]
    assert [scan["label"] for scan in session["acquisitions"]] == ["first", "T1w"]
    assert session["files"] == []
    assert {one.id for one in found.subtree} >= {"a0", "a1"}


def test_siblings_are_there_where_the_rule_names_them(connection: Connection) -> None:
    """`acquisition.files` for a rule on files."""
    lab(connection)
    found = needed(document(connection, FILES, "file", "f1"))
    assert [file["name"] for file in found.names["acquisition"]["files"]] == ["a.nii.gz", "b.nii.gz"]


def test_many_at_once(connection: Connection) -> None:
    """In the order asked for; None for what was never seen."""
    lab(connection)
    wanted = [(rule(PLAIN), NodeKey(SITE, Level.ACQUISITION, ident)) for ident in ("a1", "none", "a0")]
    found = load_documents(connection, wanted)
    assert [None if one is None else one.target.id for one in found] == ["a1", None, "a0"]


@pytest.mark.parametrize(("level", "says"), [("subject", "subject was not read yet"), ("project", "project was not")])
def test_a_missing_ancestor_makes_it_incomplete(connection: Connection, level: str, says: str) -> None:
    """The rule must not take it for one without."""
    everything = [read("project", "p1"), read("subject", "s1"), read("session", "e1"), read("acquisition", "a1")]
    absorb(connection, [one for one in everything if str(one.level) != level])
    found = needed(document(connection, PLAIN, "acquisition", "a1"))
    assert not found.complete
    assert says in found.reason


def test_what_is_hidden_makes_it_incomplete(connection: Connection) -> None:
    """An ancestor, or something below it where the rule looks there; not where it does not."""
    lab(connection)
    mark_presence(connection, [NodeKey(SITE, Level.ACQUISITION, "a0")], Presence.HIDDEN)
    assert not needed(document(connection, SESSION, "session", "e1")).complete
    assert needed(document(connection, PLAIN, "acquisition", "a1")).complete
    mark_presence(connection, [NodeKey(SITE, Level.SUBJECT, "s1")], Presence.HIDDEN)
    found = needed(document(connection, PLAIN, "acquisition", "a1"))
    assert not found.complete


def test_what_is_gone_is_not_below(connection: Connection) -> None:
    """And nobody counts it."""
    lab(connection)
    mark_presence(connection, [NodeKey(SITE, Level.ACQUISITION, "a1")], Presence.GONE)
    found = needed(document(connection, SESSION, "session", "e1"))
    assert [scan["label"] for scan in found.names["session"]["acquisitions"]] == ["first"]
    assert found.complete


def test_a_job_stands_on_what_it_ran_on(connection: Connection) -> None:
    """Its path is that of its destination with the gear's name at the end."""
    lab(connection)
    parents = {"group": "scien", "project": "p1", "subject": "s1", "session": "e1"}
    absorb(connection, [node("job", "j1", parents=parents, label="mriqc", state="complete")])
    found = needed(document(connection, JOB, "job", "j1"))
    assert found.target.path == "scien/tome/1001/Session 1/mriqc"
    assert found.names["session"]["id"] == "e1"
