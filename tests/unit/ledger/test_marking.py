"""Tags that people take away, noted when they are seen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from fakes.bench import Bench, node
from flyball.ledger.marking import note_removed
from flyball.ledger.mirror import Change
from flyball.ledger.noticing import notice
from flyball.model.node import Node

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do: [{tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}}]
"""
LOW = "acquisition/a1/LOW"


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(node("file", "f1", name="f1", info={"snr": 0.5}))
        made.decide("qc", "f1")
        made.act()
        yield made


def shown(*tags: str, known: bool = True) -> Node:
    """The acquisition as the site shows it."""
    return replace(node("acquisition", "a1", tags=list(tags)), tags_known=known)


def note(bench: Bench, before: Node | None, after: Node, **more: Any) -> int:
    """The site shows a change."""
    bench.see(after)
    change = Change(after, before, **more)
    return bench.ledger.do(lambda connection: note_removed(connection, [change], bench.clock.now()))


def test_ours_that_a_person_removed(bench: Bench) -> None:
    """It is not ours any more; others on the container do not matter."""
    assert note(bench, shown("LOW", "x"), shown("y")) == 1
    assert bench.marks() == {LOW: "removed"}


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        (None, shown(), {}),
        (shown("LOW"), shown("LOW", "x"), {}),
        (shown("LOW"), shown(known=False), {}),
        (shown(known=False), shown(), {}),
        (shown("LOW"), shown(), {"own": True}),
        (shown("other"), shown(), {}),
    ],
)
def test_what_tells_nothing(bench: Bench, before: Node | None, after: Node, more: dict[str, Any]) -> None:
    """First sight, lists that hide tags, our own writes, tags of no rule."""
    assert note(bench, before, after, **more) == 0
    assert bench.marks() == {LOW: "ours"}


def test_a_poll_that_shows_it_notes_it(bench: Bench) -> None:
    """With the page, in the same transaction."""
    gone = replace(shown(), revision=2)
    bench.ledger.do(
        lambda one: notice(one, [gone], route=lambda change: [], source="poll", now=bench.clock.now(), sure=True)
    )
    assert bench.marks() == {LOW: "removed"}
