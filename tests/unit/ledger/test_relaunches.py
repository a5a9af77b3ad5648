"""`relaunch_failed`: a failed job is run again by the site, so often and no oftener."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.bench import Bench, Killed, node
from fakes.faults import When
from flyball.ledger.acting import follow_job
from flyball.model.errors import Permanent, UnknownOutcome

RULES = """
rules:
  - id: recon
    each: file
    since: all
    limits: {running: 1, canary: 1}
    if: file.info.good > 0
    do:
      - launch: {gear: fs, on: session, inputs: {anatomical: file}, relaunch_failed: 2}
"""


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(node("file", "f1", name="f1", info={"good": 1}))
        made.site.add_gear("fs", inputs={"anatomical": {"base": "file"}})
        made.decide("recon", "f1")
        made.act()
        yield made


def only(bench: Bench) -> Any:
    """The only effect."""
    (row,) = bench.effects()
    return row


def fails(bench: Bench, state: str = "failed") -> None:
    """The job that is followed ends, and the poll sees it."""
    job = bench.site.end_job(only(bench).job, state)
    bench.ledger.do(lambda one: follow_job(one, job, bench.clock.now()))


def test_so_often_and_no_oftener(bench: Bench) -> None:
    """The outcome follows the newest job; the key and the analysis stay; limits do not count it twice."""
    for _ in range(4):
        fails(bench)
        bench.wait(10)
    assert [job["attempt"] for job in bench.site.jobs.values()] == [1, 2, 3]
    assert (only(bench).state, only(bench).job_state) == ("done", "failed")
    assert b'"relaunched":2' in only(bench).outcome
    assert b'"analysis":"analysis' in only(bench).outcome
    assert len(bench.site.analyses) == 1


def test_a_job_that_was_cancelled_is_not_run_again(bench: Bench) -> None:
    """A person did that."""
    fails(bench, "cancelled")
    assert (bench.settle(), len(bench.site.jobs)) == ([], 1)


def test_a_site_that_retries_by_itself_is_not_asked_to(bench: Bench) -> None:
    """Its own retry is followed."""
    fails(bench)
    new = bench.run(bench.site.retry_job(only(bench).job))
    bench.wait(10)
    assert (only(bench).job, len(bench.site.jobs)) == (new, 2)


def test_what_is_not_wanted_any_more_is_left(bench: Bench) -> None:
    """The launch was carried out, and stays so."""
    fails(bench)
    bench.change(node("file", "f1", name="f1", info={"good": 0}))
    bench.decide("recon", "f1")
    bench.settle()
    assert (only(bench).state, len(bench.site.jobs)) == ("done", 1)


@pytest.mark.parametrize("when", ["before", "after", "late"])
@pytest.mark.parametrize("how", [UnknownOutcome("reset"), Killed()], ids=["reset", "kill"])
def test_an_unclear_end(bench: Bench, when: When, how: BaseException) -> None:
    """Found, or asked for again after two looks; one retry in the end."""
    bench.site.faults.add("retry_job", how, when=when)
    fails(bench)
    bench.wait(10)
    if bench.ledger.dead:
        bench.restart()
    bench.wait(1)
    bench.site.faults.commit_late()
    bench.settle()
    assert (len(bench.site.jobs), only(bench).state) == (2, "done")


def test_a_site_that_refuses(bench: Bench) -> None:
    """Failed, with its reason; a person's `retry` tries once more."""
    bench.site.faults.add("retry_job", Permanent("no", status=400))
    fails(bench)
    bench.wait(10)
    assert (only(bench).state, only(bench).error) == ("failed", "no")


@pytest.mark.parametrize("unclear", [True, False])
def test_a_key_that_may_not_list_jobs(bench: Bench, unclear: bool) -> None:
    """It may ask; after an unclear end nothing can be told, and nothing is asked twice."""
    bench.site.lists_jobs = False
    if unclear:
        bench.site.faults.add("retry_job", UnknownOutcome("reset"))
    fails(bench)
    bench.clock.advance(10)
    bench.settle()
    assert (only(bench).state, len(bench.site.jobs)) == (("failed", 1) if unclear else ("done", 2))


def test_runs_of_others_are_theirs(bench: Bench) -> None:
    """An equal run by others that fails is not run again."""
    with Bench(RULES) as other:
        other.lab(node("file", "f1", name="f1", info={"good": 1}))
        gear = other.site.add_gear("fs", inputs={"anatomical": {"base": "file"}})
        reference = {"type": "acquisition", "id": "a1", "name": "f1"}
        other.site.run_by_others(gear, "session", "e1", {"anatomical": reference}, state="running")
        other.decide("recon", "f1")
        other.act()
        fails(other)
        assert (other.settle(), only(other).job_state) == ([], "failed")
