"""The mirror: what is new in what was read, what was overtaken, what moved, what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine

from fakes.bench import SITE, node
from flyball.ledger.absorbing import absorb, mark_presence
from flyball.ledger.mirror import Change, descendants, everything, find, ids_between, known_ids, patch_tags, subtree
from flyball.ledger.prints import content_of
from flyball.ledger.tables import metadata
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.keys import whole_of


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as made:
        yield made
    engine.dispose()


def read(level: str = "acquisition", ident: str = "a1", **doc: Any) -> Node:
    """A node as it would be read, with its fingerprints."""
    made = node(level, ident, **doc)
    return replace(made, content=content_of(made.parents, made.doc), whole=whole_of(made.doc))


def later(made: Node, minutes: float, *, revision: int | None = None, **doc: Any) -> Node:
    """The node some minutes later, with other fields."""
    full = {**made.doc, **doc}
    return replace(
        made,
        doc=full,
        label=str(full.get("label") or full.get("name")),
        modified=(made.modified or made.created or doc["created"]) + timedelta(minutes=minutes),
        revision=revision if revision is not None or made.revision is None else made.revision + 1,
        content=content_of(made.parents, full),
        whole=whole_of(full),
    )


def hidden(made: Node, *fields: str) -> Node:
    """The node as a list shows it that hides these fields."""
    doc = {name: value for name, value in made.doc.items() if name not in fields}
    return replace(
        made,
        doc=doc,
        tags_known=made.tags_known and "tags" not in fields,
        info_known=made.info_known and "info" not in fields,
        content=content_of(made.parents, doc),
        whole=whole_of(doc),
    )


def stored(connection: Connection, made: Node) -> Node:
    """The node as the mirror has it."""
    return find(connection, [made.key])[made.key]


def labels(changes: list[Change]) -> list[str]:
    """What changed."""
    return [change.node.label for change in changes]


def test_the_first_sight_is_a_change_and_the_second_is_none(connection: Connection) -> None:
    """A page that comes twice changes nothing."""
    first = read()
    assert [change.before for change in absorb(connection, [first, first]).changes] == [None]
    assert absorb(connection, [first]).changes == []
    assert stored(connection, first) == replace(first, settled_from=first.modified)


def test_book_keeping_is_no_change(connection: Connection) -> None:
    """`modified` and `revision` move with writes that change nothing; they are noted, and `settle` goes on."""
    first = read()
    absorb(connection, [first])
    moved = later(first, 10)
    assert absorb(connection, [moved]).changes == []
    assert (stored(connection, first).modified, stored(connection, first).revision) == (moved.modified, 2)
    assert stored(connection, first).settled_from == first.modified


def test_tags_and_notes_do_not_restart_settle(connection: Connection) -> None:
    """They are changes all the same; a label is content."""
    first = read()
    absorb(connection, [first])
    tagged = later(first, 10, tags=["A"], notes=[{"text": "x"}])
    assert len(absorb(connection, [tagged]).changes) == 1
    assert stored(connection, first).settled_from == first.modified
    named = later(tagged, 10, label="other")
    assert len(absorb(connection, [named]).changes) == 1
    assert stored(connection, first).settled_from == named.modified


def test_a_page_that_was_overtaken(connection: Connection) -> None:
    """It never overwrites a newer state, and is told apart for whoever can read the node singly."""
    first = read()
    newer = later(first, 10, label="newer")
    absorb(connection, [newer])
    done = absorb(connection, [first])
    assert (done.changes, done.older) == ([], [first])
    assert stored(connection, first).label == "newer"
    assert labels(absorb(connection, [first], sure=True).changes) == [first.label]


@pytest.mark.parametrize(
    ("revisions", "minutes", "taken"),
    [
        ((1, 2), -60, True),  # the site's clock went back
        ((2, 1), 60, True),  # its counters began anew
        ((2, 1), -60, False),
        ((1, 1), -60, False),
        ((1, 1), 60, True),
        ((None, None), -60, False),
        ((None, 3), -60, False),
        ((None, None), 60, True),
    ],
)
def test_which_of_two_states_is_the_newer(
    connection: Connection, revisions: tuple[int | None, int | None], minutes: float, taken: bool
) -> None:
    """The revision decides where both have one, unless the time says otherwise; else the time."""
    first = replace(read(), revision=revisions[0])
    absorb(connection, [first])
    second = replace(later(first, minutes, label="second"), revision=revisions[1])
    assert labels(absorb(connection, [second]).changes) == (["second"] if taken else [])


def test_within_one_page_the_newest_counts(connection: Connection) -> None:
    """In whatever order they stand."""
    first = read()
    second, third = later(first, 1, label="second"), later(first, 2, label="third", revision=3)
    assert labels(absorb(connection, [third, first, second]).changes) == ["third"]


def test_what_is_hidden_now_is_kept_if_nothing_moved(connection: Connection) -> None:
    """A list that hides tags and info does not make them unknown again."""
    first = read(tags=["A"], info={"x": 1})
    absorb(connection, [first])
    assert absorb(connection, [hidden(first, "tags", "info")]).changes == []
    assert stored(connection, first).doc["info"] == {"x": 1}
    moved = hidden(later(first, 5), "tags", "info")
    absorb(connection, [moved])
    assert (stored(connection, first).tags_known, stored(connection, first).info_known) == (False, False)


def test_what_is_learned_is_no_event(connection: Connection) -> None:
    """Tags and info that were not known before, on a node that did not move."""
    first = read(tags=["A"], info={"x": 1})
    absorb(connection, [hidden(first, "tags", "info")])
    changes = absorb(connection, [first]).changes
    assert [change.learned for change in changes] == [True]
    assert stored(connection, first).settled_from == first.modified
    moved = later(first, 5, tags=["A", "B"])
    assert [change.learned for change in absorb(connection, [moved]).changes] == [False]


def test_a_file_that_moved_while_its_info_is_hidden_is_not_quiet(connection: Connection) -> None:
    """Its info may have changed; of other levels that is not assumed, since our own writes move them."""
    file, scan = read("file", "f1", name="x.nii.gz"), read()
    for made, restarts in ((file, True), (scan, False)):
        blind = hidden(made, "info")
        blind = replace(blind, info_known=False)
        absorb(connection, [blind])
        moved = later(blind, 30)
        assert absorb(connection, [moved]).changes == []
        assert stored(connection, made).settled_from == (moved.modified if restarts else made.modified)


def test_what_was_gone_comes_back(connection: Connection) -> None:
    """Even in the very state in which it went."""
    first = read()
    absorb(connection, [first])
    assert len(mark_presence(connection, [first.key], Presence.GONE)) == 1
    assert mark_presence(connection, [first.key], Presence.GONE) == []
    changes = absorb(connection, [first]).changes
    assert [(change.before.presence, change.node.presence) for change in changes if change.before] == [
        (Presence.GONE, Presence.PRESENT)
    ]


def test_everything_below_goes_along_but_the_jobs(connection: Connection) -> None:
    """From the top. Jobs outlive what they ran on; what is hidden hides them too; what is gone is not hidden."""
    parents = {"group": "scien", "project": "p1", "subject": "s1", "session": "e1", "acquisition": "a1"}
    below = [read("session", "e1"), read("acquisition", "a1"), read("file", "f1", name="x")]
    job = read("job", "j1", parents=parents)
    absorb(connection, [*below, job])
    gone = mark_presence(connection, [NodeKey(SITE, Level.SESSION, "e1")], Presence.GONE)
    assert [str(change.node.level) for change in gone] == ["session", "acquisition", "file"]
    assert stored(connection, job).presence is Presence.PRESENT
    mark_presence(connection, [NodeKey(SITE, Level.PROJECT, "p1")], Presence.HIDDEN)
    assert stored(connection, job).presence is Presence.HIDDEN
    assert stored(connection, below[0]).presence is Presence.GONE


def test_a_container_that_moves_takes_along_what_is_below(connection: Connection) -> None:
    """The site tells of the container alone; for `settle` its scans moved too."""
    session, scan, file = read("session", "e1"), read(), read("file", "f1", name="x")
    absorb(connection, [session, scan, file])
    there = {"group": "scien", "project": "p2", "subject": "s2"}
    moved = replace(later(session, 20), parents=there, content=content_of(there, session.doc), whole="moved")
    changes = absorb(connection, [moved]).changes
    assert [change.moved for change in changes] == [True]
    for made in (scan, file):
        now = stored(connection, made)
        assert (now.parents["project"], now.parents["subject"], now.parents["session"]) == ("p2", "s2", "e1")
        assert now.settled_from == moved.modified
    assert [one.id for one in subtree(connection, SITE, Level.SUBJECT, ["s2"])["s2"]] == ["e1", "a1", "f1"]
    assert subtree(connection, SITE, Level.SUBJECT, ["s1"]) == {}


def test_our_own_tag_is_noted_before_it_comes_back(connection: Connection) -> None:
    """Then it is no news, in whatever order the site lists the tags; where tags are not known nothing is noted."""
    first = read(tags=["B"])
    absorb(connection, [first])
    [change] = patch_tags(connection, [(first.key, "A", True)], whole=whole_of)
    assert change is not None
    assert change.own
    assert absorb(connection, [later(first, 1, tags=["A", "B"])]).changes == []
    blind = hidden(read(ident="a2"), "tags")
    absorb(connection, [blind])
    nothing = [(first.key, "A", True), (blind.key, "A", True), (NodeKey(SITE, Level.SESSION, "none"), "A", True)]
    assert patch_tags(connection, nothing, whole=whole_of) == [None, None, None]


def test_looking_things_up(connection: Connection) -> None:
    """By key, by id range, below a container, by level; what is gone is not among the present."""
    scans = [read(ident=f"a{number}", label=f"scan {number}") for number in range(1, 6)]
    absorb(connection, [*scans, read("session", "e1")])
    mark_presence(connection, [scans[2].key], Presence.GONE)
    level = Level.ACQUISITION
    assert ids_between(connection, SITE, level, "a1", "a4", None) == ["a2", "a4"]
    assert ids_between(connection, SITE, level, None, None, "p1") == ["a1", "a2", "a4", "a5"]
    assert ids_between(connection, SITE, level, None, None, "p9") == []
    assert known_ids(connection, SITE, level, ["a1", "a3", "zz"]) == {"a1"}
    found = descendants(connection, SITE, Level.SESSION, ["e1", "e9"], level)
    assert [one.label for one in found["e1"]] == ["scan 1", "scan 2", "scan 4", "scan 5"]
    assert [one.id for one in everything(connection, SITE, Level.SESSION)] == ["e1"]
    assert len(find(connection, [one.key for one in scans])) == 5


def test_a_large_page_is_stored_and_compared(connection: Connection) -> None:
    """More keys than a query takes."""
    scans = [read(ident=f"a{number:04}") for number in range(1500)]
    assert len(absorb(connection, scans).changes) == 1500
    assert absorb(connection, scans).changes == []
    assert len(absorb(connection, [later(one, 1, label="x") for one in scans]).changes) == 1500
