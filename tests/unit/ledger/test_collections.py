"""`collection` on the bench: one effect for all members, people's members untouched, never a second collection."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.bench import Bench, Killed, node
from flyball.ledger.undoing import undo
from flyball.model.errors import Transient, UnknownOutcome
from flyball.model.node import Node

RULE = """
rules:
  - id: t1
    each: acquisition
    since: all
    if: acquisition.info.good
    do:
      - collection: {label: T1s, sync: SYNC}
"""


def scan(number: int, good: bool | None = True, **more: Any) -> Node:
    """An acquisition of the lab."""
    return node("acquisition", f"x{number:05}", info={"good": good}, **more)


def bench_of(sync: str, number: int = 3, text: str = RULE) -> Bench:
    """A bench whose lab has so many good acquisitions."""
    bench = Bench(text.replace("SYNC", sync))
    bench.see(node("project", "p1"), node("subject", "s1"), node("session", "e1"))
    bench.see(*(scan(one) for one in range(number)))
    return bench


def decide(bench: Bench, number: int = 3, rule: str = "t1") -> None:
    """Decide all acquisitions and carry out what follows."""
    bench.decide(rule, *(f"x{one:05}" for one in range(number)))
    bench.act()
    bench.settle()


def inside(bench: Bench, label: str = "T1s") -> list[set[str]]:
    """Members of the collections with a label."""
    return [bench.collections.inside[ident] for ident, one in bench.collections.labels.items() if one == label]


def ids(*numbers: int) -> set[str]:
    """Ids of acquisitions."""
    return {f"x{one:05}" for one in numbers}


def test_many_members_go_in_one_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    """One effect, one collection, few requests; deciding again asks for nothing."""
    monkeypatch.setattr("flyball.effects.collection.AT_ONCE", 20)
    with bench_of("add", 100) as bench:
        bench.decide("t1", *(f"x{one:05}" for one in range(50)))
        bench.decide("t1", *(f"x{one:05}" for one in range(50, 100)))
        bench.settle()
        assert bench.collections.requests == ["find", "create", "members", *["add"] * 5]
        (effect,) = bench.effects()
        assert effect.state == "done"
        assert len(effect.params) < 500
        assert len(inside(bench)[0]) == 100
        bench.decide("t1", *(f"x{one:05}" for one in range(100)))
        bench.settle()
        assert len(bench.effects()) == 1


def test_the_collection_that_is_there_is_used() -> None:
    """Found by label, the oldest of several; what people put in stays."""
    with bench_of("own") as bench:
        bench.collections.made_by_people("T1s", "old", "x00001")
        bench.collections.made_by_people("T1s")
        decide(bench)
        assert inside(bench) == [{"old", *ids(0, 1, 2)}, set()]
        bench.see(*(scan(one, good=False) for one in range(3)))
        decide(bench)
        assert inside(bench) == [{"old", "x00001"}, set()]


@pytest.mark.parametrize(("sync", "left"), [("add", {0, 1, 2}), ("own", {0, 2}), ("exact", {0, 2})])
def test_a_condition_that_turns_false(sync: str, left: set[int]) -> None:
    """`add` leaves the member, `own` and `exact` take it out; and it comes back with its condition."""
    with bench_of(sync) as bench:
        decide(bench)
        bench.see(scan(1, good=False))
        decide(bench)
        assert inside(bench) == [ids(*left)]
        bench.see(scan(1))
        decide(bench)
        assert inside(bench) == [ids(0, 1, 2)]


def test_unknown_leaves_members_in() -> None:
    """A value that went missing takes nobody out, with `exact` neither."""
    for sync in ("own", "exact"):
        with bench_of(sync) as bench:
            decide(bench)
            bench.see(scan(1, good=None), scan(2, good=False))
            decide(bench)
            assert inside(bench) == [ids(0, 1)]


def test_exact_takes_others_out() -> None:
    """Those of which the rule says no, and those that it cannot be about; not those that it has not decided."""
    with bench_of("exact", 2) as bench:
        bench.see(scan(2, good=False), scan(3, good=None), scan(4))
        bench.decide("t1", "x00002", "x00003")
        bench.collections.made_by_people("T1s", "elsewhere", "x00000", "x00002", "x00003", "x00004")
        decide(bench, 2)
        assert inside(bench) == [ids(0, 1, 3, 4)]


def test_two_rules_on_one_collection() -> None:
    """A member stays as long as any rule wants it."""
    both = RULE + RULE.replace("id: t1", "id: other").replace("rules:\n", "").replace("info.good", "info.fine")
    with bench_of("own", text=both) as bench:
        bench.see(node("acquisition", "x00000", info={"good": True, "fine": True}))
        decide(bench, 1)
        decide(bench, 1, "other")
        bench.see(node("acquisition", "x00000", info={"good": False, "fine": True}))
        decide(bench, 1)
        assert inside(bench) == [ids(0)]
        bench.see(node("acquisition", "x00000", info={"good": False, "fine": False}))
        decide(bench, 1, "other")
        assert inside(bench) == [set()]


def test_what_a_person_took_out_stays_out() -> None:
    """Until the condition has been false in between."""
    with bench_of("own") as bench:
        decide(bench)
        inside(bench)[0].discard("x00000")
        bench.see(scan(3))
        decide(bench, 4)
        assert inside(bench) == [ids(1, 2, 3)]


@pytest.mark.parametrize("sync", ["add", "own", "exact"])
def test_undo_takes_out_what_we_put_in(sync: str) -> None:
    """And nothing else."""
    with bench_of(sync) as bench:
        bench.collections.made_by_people("T1s", "x00001")
        if sync != "exact":
            bench.collections.inside["c1"].add("old")
        decide(bench)
        bench.ledger.do(lambda connection: undo(connection, "t1", bench.clock.now()))
        bench.settle()
        assert inside(bench) == [{"x00001"} if sync == "exact" else {"old", "x00001"}]
        assert bench.effects()[0].state == "undone"


@pytest.mark.parametrize("method", ["create", "members", "change"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Transient("x"), UnknownOutcome("x"), Killed()], ids=["transient", "unclear", "kill"])
def test_trouble(method: str, when: Any, error: BaseException) -> None:
    """One collection, all members in, people's known as theirs, whatever went wrong at whichever request."""
    if method == "create" and isinstance(error, Transient):
        when = "before"  # a transient failure of a create means that nothing was done
    with bench_of("own") as bench:
        if method != "create":
            bench.collections.made_by_people("T1s", "x00001")
        bench.collections.faults.add(method, error, when=when)
        decide(bench)
        assert inside(bench) == [ids(0, 1, 2)]
        bench.see(*(scan(one, good=False) for one in range(3)))
        decide(bench)
        assert inside(bench) == [set() if method == "create" else ids(1)]


def test_plan_names_the_members() -> None:
    """One effect, with the targets that it is for."""
    with bench_of("own") as bench:
        (planned,) = bench.plan("t1", "x00000")
        assert planned.summary == "collection T1s  members in"
        assert planned.members == ["scien/tome/1001/Session 1/T1w"]


def test_a_session_stands_for_its_acquisitions() -> None:
    """Those that come later go in as well."""
    text = """
    rules:
      - id: visits
        each: session
        since: all
        do:
          - collection: {label: "Visits of {{ subject.label }}", sync: own}
    """
    with bench_of("own", text=text) as bench:
        bench.decide("visits", "e1")
        bench.settle()
        assert inside(bench, "Visits of 1001") == [ids(0, 1, 2)]
        bench.see(scan(3))
        bench.decide("visits", "e1")
        bench.settle()
        assert inside(bench, "Visits of 1001") == [ids(0, 1, 2, 3)]
