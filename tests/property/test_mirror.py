"""The mirror and the nodes under random rows and random orders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine

from fakes.clock import START
from flyball.events.nodes import SINGLE, Trust, nodes_of
from flyball.ledger.absorbing import absorb
from flyball.ledger.mirror import find
from flyball.ledger.tables import metadata
from flyball.model.levels import Level
from unit.ledger.test_mirror import later, read

ENGINE = create_engine("sqlite://")
QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["2026-11-02T09:15:42+00:00", "2026-13-40", "\ud800", "a/b", "64a000000000000000000003"])
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
NAMES = [
    *("_id", "id", "label", "name", "parents", "parent", "parent_ref", "files", "tags", "notes", "info", "subject"),
    *("session", "group", "created", "modified", "revision", "gear_info", "destination", "state", "job", "deleted"),
    *("file_id", "info_exists", "inputs", "timestamp", "classification", "type", "code"),
]
rows = st.dictionaries(st.sampled_from(NAMES), values, max_size=12)
sound = st.none() | st.booleans() | st.integers(-9, 9) | st.text(st.characters(codec="utf-8"), max_size=8)
sound_rows = st.dictionaries(
    st.sampled_from(NAMES), sound | st.lists(sound, max_size=3) | st.dictionaries(st.text("abc"), sound), max_size=12
)
good = {"_id": "64a000000000000000000003", "id": "64a000000000000000000003", "label": "x"}
levels = st.sampled_from([level for level in Level if level is not Level.MATRIX])


@contextmanager
def ledger() -> Iterator[Connection]:
    """An empty ledger."""
    with ENGINE.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
        yield connection


@QUICK
@given(row=rows, level=levels, tags=st.booleans(), info=st.booleans(), base=st.sampled_from([{}, good]))
def test_no_row_stops_a_page(row: dict[str, Any], level: Level, tags: bool, info: bool, base: dict[str, Any]) -> None:
    """Whatever a site sends becomes nodes or nothing; what becomes a node is stored, read back, and known again."""
    full = {**base, **row}
    found = list(nodes_of("main", level, full, Trust(tags=tags, info=info)))
    with ledger() as connection:
        first = absorb(connection, found)
        assert len(first.changes) == len({node.key for node in found})
        again = absorb(connection, nodes_of("main", level, full, Trust(tags=tags, info=info)))
        assert (again.changes, again.older) == ([], [])
        assert set(find(connection, [node.key for node in found])) == {node.key for node in found}


@QUICK
@given(row=sound_rows, level=levels)
def test_a_hidden_reading_changes_nothing_that_is_known(row: dict[str, Any], level: Level) -> None:
    """First read singly, then listed with tags and info hidden, at the same time: no change, nothing forgotten."""
    full = {**good, **row, **good}
    with ledger() as connection:
        whole = list(nodes_of("main", level, full, SINGLE))
        absorb(connection, whole)
        before = find(connection, [node.key for node in whole])
        done = absorb(connection, nodes_of("main", level, full, Trust(tags=False, info=False)))
        assert done.changes == []
        after = find(connection, [node.key for node in whole])
        assert {key: (node.doc.get("tags"), node.doc.get("info")) for key, node in after.items()} == {
            key: (node.doc.get("tags"), node.doc.get("info")) for key, node in before.items()
        }


@QUICK
@given(order=st.permutations(range(6)), cuts=st.lists(st.integers(1, 3), min_size=1, max_size=6))
def test_the_order_of_pages_does_not_matter(order: list[int], cuts: list[int]) -> None:
    """However the states of one node arrive, the newest stays."""
    states = [read(revision=0)]
    for number in range(1, 6):
        states.append(later(states[-1], 1, label=f"state {number}"))
    pages, rest = [], list(order)
    for cut in [*cuts, 6]:
        pages.append(rest[:cut])
        rest = rest[cut:]
    with ledger() as connection:
        for page in pages:
            absorb(connection, [states[number] for number in page])
        assert find(connection, [states[0].key])[states[0].key].label == states[-1].label


@QUICK
@given(
    moves=st.lists(st.tuples(st.integers(-90, 90), st.sampled_from(["label", "tags", "nothing"])), max_size=8),
    counted=st.booleans(),
)
def test_settle_counts_from_the_last_change_of_content(moves: list[tuple[int, str]], counted: bool) -> None:
    """Never from a tag, whatever the site's clock does; a state that looks older is told apart or taken."""
    state = read(revision=0, tags=[]) if counted else replace(read(tags=[]), revision=None)
    quiet = state.modified
    with ledger() as connection:
        absorb(connection, [state])
        for number, (minutes, what) in enumerate(moves):
            doc: dict[str, Any] = {}
            if what != "nothing":
                doc = {what: f"l{number}" if what == "label" else [str(number)]}
            nxt = later(state, minutes, **doc)
            done = absorb(connection, [nxt])
            if done.older:
                done = absorb(connection, [nxt], sure=True)
            known = find(connection, [state.key])[state.key]
            if what == "label":
                quiet = nxt.modified
            if what != "nothing":
                assert [change.node.doc for change in done.changes] == [nxt.doc]
                state = nxt
            elif known.modified == nxt.modified:
                state = nxt
            assert known.settled_from == quiet
    assert START - timedelta(hours=1) == read().modified
