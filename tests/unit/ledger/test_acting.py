"""The legal moves: taking, finishing, recovering; lanes, due times, and what is written when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from fakes.bench import SITE, Bench, node
from flyball.ledger.acting import finish, next_effect, recover, take, waited_for
from flyball.ledger.codec import moment
from flyball.ledger.looking import Look
from flyball.ledger.tables import attempts, looks
from flyball.model.effect import Blame, Effect, Outcome, Report
from flyball.model.levels import Level
from flyball.model.node import Node

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0, ALSO: file.info.snr < 1.0}}
  - id: good
    each: file
    since: all
    do:
      - tag: {on: session, set: {FINE: file.info.snr > 1.0}}
"""
OURS = Report(Outcome.DONE, {"mark": "ours", "present": True})


def qa(snr: float, ident: str = "f1") -> Node:
    """A QA file of the acquisition."""
    return node("file", ident, name=ident, info={"snr": snr})


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(qa(0.5), qa(0.5, "f2"))
        yield made


def taken(bench: Bench, limit: int = 10, *sites: str) -> list[Effect]:
    """Take what is due."""
    now = bench.clock.now()
    return bench.ledger.do(lambda one: take(one, now, limit, sites or [SITE], bench.crew.caps))


def end(bench: Bench, effect: Effect, report: Report, retry_in: float | None = None) -> str:
    """Finish an attempt."""
    now = bench.clock.now()
    return str(
        bench.ledger.do(lambda one: finish(one, effect, report, now, retry_in=retry_in, route=lambda change: []))
    )


def tries(bench: Bench) -> list[Any]:
    """All attempts."""
    return list(bench.ledger.do(lambda one: one.execute(select(attempts).order_by(attempts.c.id)).all()))


def test_an_attempt_is_stored_before_anything_is_sent(bench: Bench) -> None:
    """Open, with its number; the effect runs."""
    bench.decide("qc", "f1")
    effects = taken(bench)
    assert [(one.kind, one.attempts, str(one.state)) for one in effects] == [("tag", 1, "running")] * 2
    assert [(row.number, row.ended) for row in tries(bench)] == [(1, None)] * 2
    assert bench.states() == ["running", "running"]
    assert taken(bench) == []


def test_no_more_than_asked_for_oldest_first(bench: Bench) -> None:
    """And of the sites named."""
    bench.decide("qc", "f1")
    assert taken(bench, 10, "elsewhere") == []
    assert [one.slot for one in taken(bench, 1)] == ["0/LOW"]
    assert [one.slot for one in taken(bench, 1)] == ["0/ALSO"]


def test_what_is_needless_makes_room_in_the_same_go(bench: Bench) -> None:
    """Cancelled ones are not counted against the number that may begin."""
    bench.decide("qc", "f1")
    bench.change(qa(2.0))
    bench.decide("qc", "f1")
    bench.decide("good", "f1")
    assert [one.slot for one in taken(bench, 1)] == ["0/FINE"]
    assert bench.states() == ["cancelled", "cancelled", "running"]


def test_one_of_a_lane_at_a_time_in_order(bench: Bench) -> None:
    """Set, then removed; not at once, and not the other way round."""
    bench.decide("qc", "f1")
    first = taken(bench)
    bench.change(qa(2.0))
    bench.decide("qc", "f1")
    assert bench.states() == ["running", "running"]
    for effect in first:
        assert end(bench, effect, OURS) == "done"
    assert [one.params["operation"] for one in taken(bench)] == ["remove", "remove"]


def test_a_lane_whose_first_waits_holds_up_the_rest(bench: Bench) -> None:
    """Also when that one is not due for a while; `next_effect` knows."""
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa(2.0))
    bench.decide("qc", "f1")
    removals = taken(bench)
    end(bench, removals[0], Report(Outcome.UNKNOWN, wait=60.0))
    end(bench, removals[1], Report(Outcome.DONE, {"mark": None, "present": False}))
    bench.change(qa(0.5))
    bench.decide("qc", "f1")
    now = bench.clock.now()
    assert [one.slot for one in taken(bench)] == ["0/ALSO"]
    assert bench.ledger.do(lambda one: next_effect(one, [SITE])) == now + timedelta(seconds=60)


def test_finishing_twice_changes_nothing(bench: Bench) -> None:
    """A write whose own end is unclear may be done again."""
    bench.decide("qc", "f1")
    effect = taken(bench)[0]
    assert end(bench, effect, OURS) == "done"
    assert end(bench, effect, Report(Outcome.PERMANENT, error="late")) == "done"
    assert bench.effects()[0].error is None
    stranger = Effect(**{**{name: getattr(effect, name) for name in effect.__slots__}, "id": "999"})
    assert end(bench, stranger, OURS) == "cancelled"


def test_an_older_attempt_cannot_end_a_newer_one(bench: Bench) -> None:
    """A process that was only thought dead."""
    bench.decide("qc", "f1")
    old = taken(bench, 1)[0]
    bench.ledger.do(lambda one: recover(one, bench.clock.now(), 0.0))
    new = taken(bench, 1)[0]
    assert end(bench, old, Report(Outcome.PERMANENT, error="late")) == "running"
    assert end(bench, new, OURS) == "done"


def test_transient_ends_have_a_stored_due_time(bench: Bench) -> None:
    """And count, unless nobody is to blame."""
    bench.change(qa(2.0))
    bench.decide("good", "f1")
    effect = taken(bench, 1)[0]
    assert end(bench, effect, Report(Outcome.TRANSIENT, error="500"), retry_in=30.0) == "planned"
    row = bench.effects()[0]
    assert (row.failures, row.error, moment(row.due) - bench.clock.now()) == (1, "500", timedelta(seconds=30))
    bench.clock.advance(30)
    effect = taken(bench, 1)[0]
    assert effect.failures == 1
    end(bench, effect, Report(Outcome.TRANSIENT, error="429", blame=Blame.NOBODY), retry_in=5.0)
    assert bench.effects()[0].failures == 1
    bench.clock.advance(5)
    assert end(bench, taken(bench, 1)[0], Report(Outcome.TRANSIENT, error="500"), retry_in=None) == "failed"


def test_work_that_goes_back_is_due_at_once(bench: Bench) -> None:
    """Nothing was done."""
    bench.decide("qc", "f1")
    assert end(bench, taken(bench, 1)[0], Report(Outcome.CANCELLED, error="stopping")) == "planned"
    assert len(taken(bench, 1)) == 1


def test_recovering(bench: Bench) -> None:
    """Open attempts are closed as unclear; each site has its own wait; what does not run is left alone."""
    bench.decide("qc", "f1")
    taken(bench, 1)
    found = bench.ledger.do(lambda one: recover(one, bench.clock.now(), {SITE: 7.0, "other": 1.0}))
    row, other = bench.effects()
    assert (found, row.state, row.unclear, other.state) == (1, "waiting", 1, "planned")
    assert moment(row.due) - bench.clock.now() == timedelta(seconds=7)
    assert (tries(bench)[0].outcome, tries(bench)[0].error) == ("unknown", "the daemon ended before the answer")
    assert bench.ledger.do(lambda one: recover(one, bench.clock.now(), 1.0)) == 0


def test_what_is_worth_waiting_for(bench: Bench) -> None:
    """What is due now, and what is due soon for another reason than a limit."""

    def worth(seconds: float) -> bool:
        now = bench.clock.now()
        return bench.ledger.do(lambda one: waited_for(one, [SITE], now, now + timedelta(seconds=seconds)))

    assert not worth(90)
    bench.decide("qc", "f1")
    assert worth(0)
    for effect in taken(bench):
        end(bench, effect, Report(Outcome.TRANSIENT), retry_in=30.0)
    assert not worth(20)
    assert worth(90)


def test_a_tag_that_others_read_is_news_for_them(bench: Bench) -> None:
    """The rule that set it need not look again."""
    bench.decide("qc", "f1")
    effect = taken(bench, 1)[0]
    seen: list[Any] = []

    def route(change: Any) -> list[Look]:
        seen.append(change.node.doc["tags"])
        return [Look(rule, SITE, Level.ACQUISITION, "a1", Level.ACQUISITION) for rule in ("qc", "other")]

    now = bench.clock.now()
    bench.ledger.do(lambda one: finish(one, effect, OURS, now, retry_in=None, route=route))
    assert seen == [["LOW"]]
    assert [row.rule for row in bench.ledger.do(lambda one: one.execute(select(looks)).all())] == ["other"]
