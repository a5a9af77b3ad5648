"""Caps on launches: so many running, so many in a day, a canary first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.bench import SITE, Bench, Killed, node
from flyball.ledger.acting import follow_job, take, waited_for
from flyball.ledger.limiting import release, unended_jobs
from flyball.ledger.steering import approve
from flyball.model.errors import Permanent, UnknownOutcome

RULES = """
rules:
  - id: convert
    each: file
    since: all
    limits: {LIMITS}
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}}
      - tag: {on: acquisition, set: {SEEN: 'true'}}
"""
FILES = [f"f{number}" for number in range(6)]


def limited(limits: str) -> str:
    """The rule with these limits."""
    return RULES.replace("LIMITS", limits)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as made:
        made.lab(*(node("file", ident, name=ident) for ident in FILES))
        made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        yield made


def launches(bench: Bench, state: str) -> int:
    """How many launches are in a state."""
    return len(bench.effects(kind="launch", state=state))


def end(bench: Bench, row_number: int, state: str = "complete") -> None:
    """A job ends, and the poll sees it."""
    row = bench.effects(kind="launch", state="done")[row_number]
    job = bench.site.end_job(row.job, state)
    bench.ledger.do(lambda connection: follow_job(connection, job, bench.clock.now()))


@pytest.mark.parametrize("limits", ["running: 2", "per_day: 2"], ids=["running", "per-day"])
def test_over_all_replicas(limits: str, bench: Bench) -> None:
    """What one replica has in its hands counts for the next one, before anything of it was sent."""
    bench.load(limited(limits))
    bench.decide("convert", *FILES)
    now, caps = bench.clock.now(), bench.crew.caps

    def taken(most: int, replica: str) -> list[str]:
        some = bench.ledger.do(lambda connection: take(connection, now, most, [SITE], caps, replica=replica))
        return [effect.kind for effect in some if effect.kind == "launch"]

    assert len(taken(1, "host-1-abc~1")) == 1
    assert len(taken(20, "host-2-def~1")) == 1
    assert taken(20, "host-1-abc~1") == []


def test_so_many_at_a_time(bench: Bench) -> None:
    """The rest waits with its reason, and goes on as soon as a job has ended, whichever way."""
    bench.load(limited("running: 2"))
    bench.decide("convert", *FILES)
    bench.act()
    assert (launches(bench, "done"), launches(bench, "planned")) == (2, 4)
    assert bench.effects(kind="launch", state="planned")[0].error == "limit: 2 of 2 are running"
    end(bench, 0)
    bench.act()
    assert len(bench.site.jobs) == 3
    end(bench, 1, "failed")
    end(bench, 2, "cancelled")
    bench.act()
    assert len(bench.site.jobs) == 5
    assert bench.ledger.do(unended_jobs) == 2


def test_tags_are_not_limited(bench: Bench) -> None:
    """Only launches are."""
    bench.load(limited("running: 1, per_day: 1"))
    bench.decide("convert", *FILES)
    bench.act()
    assert bench.tags() == ["SEEN"]


def test_what_waits_for_a_place_is_not_due_all_the_time(bench: Bench) -> None:
    """It is no work for `--until-idle`, and looks again by itself now and then."""
    bench.load(limited("running: 1"))
    bench.decide("convert", *FILES)
    bench.act()
    now = bench.clock.now()
    due = bench.next_due()
    assert due is not None
    assert 60 < (due - now).total_seconds() <= 300
    assert not bench.ledger.do(lambda one: waited_for(one, ["main"], now, due))


def test_an_end_that_was_never_seen_is_made_up_for(bench: Bench) -> None:
    """The looks of their own accord find the place that is free."""
    bench.load(limited("running: 1"))
    bench.decide("convert", *FILES[:2])
    bench.act()
    row = bench.effects(kind="launch", state="done")[0]
    job = bench.site.end_job(row.job, "complete")
    bench.ledger.do(lambda connection: follow_job(connection, {**job, "tags": []}, bench.clock.now()))
    bench.wait(300)
    assert len(bench.site.jobs) == 2


def test_runs_of_others_take_no_place(bench: Bench) -> None:
    """An equal run by others counts as done, and is not ours."""
    reference = {"type": "acquisition", "id": "a1", "name": "f0"}
    bench.site.run_by_others(bench.site.gears[0], "session", "e1", {"source": reference}, state="running")
    bench.load(limited("running: 1, per_day: 1, canary: 1"))
    bench.decide("convert", *FILES[:2])
    bench.act()
    assert launches(bench, "done") == 2
    assert bench.ledger.do(unended_jobs) == 1


def test_a_launch_that_fails_takes_no_place(bench: Bench) -> None:
    """The next one goes on at once."""
    bench.load(limited("running: 1"))
    bench.site.faults.add("add_job", Permanent("412", status=412))
    bench.decide("convert", *FILES[:2])
    bench.act()
    assert (launches(bench, "failed"), launches(bench, "done")) == (1, 1)


def test_an_unclear_launch_takes_its_place(bench: Bench) -> None:
    """It may be running."""
    bench.load(limited("running: 1"))
    bench.site.faults.add("add_job", UnknownOutcome("reset"), when="after")
    bench.decide("convert", *FILES[:2])
    bench.act()
    assert (launches(bench, "waiting"), launches(bench, "planned")) == (1, 1)
    bench.wait(2)
    assert (launches(bench, "done"), launches(bench, "planned")) == (1, 1)


def test_a_kill_does_not_make_room(bench: Bench) -> None:
    """What was sent before a kill counts."""
    bench.load(limited("running: 1"))
    bench.site.faults.add("add_job", Killed(), when="after")
    bench.decide("convert", *FILES[:2])
    bench.act()
    bench.restart()
    bench.wait(10)
    assert (len(bench.site.jobs), launches(bench, "done")) == (1, 1)


def test_so_many_in_a_day(bench: Bench) -> None:
    """A rolling day; what failed at once, or was found to be running, does not count."""
    bench.load(limited("per_day: 2"))
    bench.decide("convert", *FILES[:1])
    bench.act()
    bench.clock.advance(3600)
    bench.decide("convert", *FILES)
    bench.act()
    assert len(bench.site.jobs) == 2
    assert bench.effects(kind="launch", state="planned")[0].error == "limit: 2 launches in 24 h"
    bench.wait(23 * 3600 - 1)
    assert len(bench.site.jobs) == 2
    bench.wait(1)
    assert len(bench.site.jobs) == 3
    bench.wait(3600)
    assert len(bench.site.jobs) == 4


def test_a_canary(bench: Bench) -> None:
    """The first ones of a version run, the rest is held until that version is released."""
    bench.load(limited("canary: 2"))
    bench.decide("convert", *FILES[:4])
    bench.act()
    assert (launches(bench, "done"), launches(bench, "held")) == (2, 2)
    assert "canary: 2 launched; the rest wait for `approve --rule convert`" in bench.effects(state="held")[0].error
    assert bench.ledger.do(lambda connection: release(connection, "convert", bench.clock.now())) == 2
    bench.decide("convert", *FILES)
    bench.act()
    assert len(bench.site.jobs) == 6


def test_one_of_a_canarys_rest_may_be_approved_alone(bench: Bench) -> None:
    """It goes, the others stay."""
    bench.load(limited("canary: 1"))
    bench.decide("convert", *FILES[:3])
    bench.act()
    held = bench.effects(state="held")[0]
    bench.ledger.do(lambda connection: approve(connection, str(held.id), bench.clock.now()))
    bench.act()
    assert (launches(bench, "done"), launches(bench, "held")) == (2, 1)


def test_a_new_version_has_a_canary_of_its_own(bench: Bench) -> None:
    """What the old one's canary held is weighed anew; without a canary all of it goes."""
    bench.load(limited("canary: 1"))
    bench.decide("convert", *FILES[:4])
    bench.act()
    bench.load(limited("canary: 2"))
    bench.act()
    assert (launches(bench, "done"), launches(bench, "held")) == (3, 1)
    bench.load(limited("running: 100"))
    bench.act()
    assert launches(bench, "done") == 4


def test_releasing_a_rule_that_there_is_not(bench: Bench) -> None:
    """It is said."""
    with pytest.raises(LookupError, match="no rule 'nope'"):
        bench.ledger.do(lambda connection: release(connection, "nope", bench.clock.now()))


def test_limits_that_are_raised_count_at_once(bench: Bench) -> None:
    """Loading the rules calls what waits."""
    bench.load(limited("running: 1"))
    bench.decide("convert", *FILES)
    bench.act()
    bench.load(limited("running: 4"))
    bench.act()
    assert len(bench.site.jobs) == 4
