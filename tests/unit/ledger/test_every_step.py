"""Each kind of effect, killed or cut off between any two steps of its way; in the end it is there once.

The steps of an attempt: it is stored, its request leaves, the site carries it out, the answer is read, the end is
stored. Messages to people are the exception that the promises make: they may come twice, with the same key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from fakes.bench import Bench, Killed, node
from fakes.faults import When
from flyball.ledger.acting import follow_job
from flyball.model.errors import UnknownOutcome
from flyball.model.node import Node

RULES = """
rules:
  - id: tags
    each: file
    since: all
    do: [{tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}}]
  - id: file-tags
    each: file
    since: all
    do: [{tag: {on: file, set: {BAD: file.info.snr < 1.0}}}]
  - id: notes
    each: file
    since: all
    do: [{note: {on: session, text: seen}}]
  - id: alerts
    each: file
    since: all
    do: [{alert: {channel: lab, title: low, when: file.info.snr < 1.0}}]
  - id: analyses
    each: file
    since: all
    do: [{launch: {gear: fs, on: session, inputs: {anatomical: file}}}]
  - id: jobs
    each: file
    since: all
    do: [{launch: {gear: dcm2niix, on: session, inputs: {source: file}, relaunch_failed: 1}}]
"""
LATE = 20.0


def scan(snr: float = 0.5) -> Node:
    """The file that all rules look at."""
    return node("file", "f1", name="f1.nii.gz", type="nifti", info={"snr": snr})


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.late = LATE
        made.restart()
        made.lab(scan())
        made.site.add_gear("fs", inputs={"anatomical": {"base": "file"}})
        made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        yield made


def _decided(rule: str) -> Callable[[Bench], None]:
    def decide(bench: Bench) -> None:
        bench.decide(rule, "f1")

    return decide


def _removal(bench: Bench) -> None:
    """The tag was set, and is to go."""
    bench.decide("tags", "f1")
    bench.settle()
    bench.look_around()
    bench.change(scan(3.0))
    bench.decide("tags", "f1")


def _failed_job(bench: Bench) -> None:
    """The job was started, failed, and is to be run again."""
    bench.decide("jobs", "f1")
    bench.settle()
    job = bench.site.end_job(bench.effects(kind="launch")[0].job, "failed")
    bench.ledger.do(lambda connection: follow_job(connection, job, bench.clock.now()))
    bench.clock.advance(60)


@dataclass(frozen=True)
class Way:
    """One kind of effect.

    Attributes:
        wanted: makes it due.
        method: the request that carries it out.
        there: how often it is there.
        creates: carried out twice, it would be there twice.
    """

    wanted: Callable[[Bench], None]
    method: str
    there: Callable[[Bench], int]
    creates: bool


def _keys(bench: Bench) -> int:
    return len({one.key for one in bench.channels.sent})


WAYS = {
    "tag": Way(_decided("tags"), "add_tag", lambda bench: bench.tags().count("LOW"), creates=False),
    "tag of a file": Way(
        _decided("file-tags"), "add_tag", lambda bench: bench.tags("file", "f1").count("BAD"), creates=False
    ),
    "tag removed": Way(_removal, "remove_tag", lambda bench: 1 - bench.tags().count("LOW"), creates=False),
    "note": Way(_decided("notes"), "add_note", lambda bench: len(bench.site.notes_of[("session", "e1")]), creates=True),
    "alert": Way(_decided("alerts"), "send", _keys, creates=False),
    "analysis": Way(_decided("analyses"), "launch_analysis", lambda bench: len(bench.site.analyses), creates=True),
    "job": Way(_decided("jobs"), "add_job", lambda bench: len(bench.site.jobs), creates=True),
    "retried job": Way(_failed_job, "retry_job", lambda bench: len(bench.site.jobs) - 1, creates=True),
}
CREATES = [name for name, way in WAYS.items() if way.creates]


def _plan(bench: Bench, way: Way, error: BaseException, when: When) -> None:
    faults = bench.channels.faults if way.method == "send" else bench.site.faults
    faults.add(way.method, error, when=when)


def _in_the_end(bench: Bench, way: Way) -> None:
    if bench.ledger.dead:
        bench.restart()
    bench.settle()
    assert way.there(bench) == 1
    assert bench.states()[-1] == "done"
    assert not bench.ledger.do(
        lambda connection: connection.exec_driver_sql("SELECT 1 FROM attempts WHERE ended IS NULL").all()
    )


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", WAYS)
def test_killed_around_the_request(bench: Bench, kind: str, when: When) -> None:
    """The attempt is stored; whether the request left, and whether the site carried it out, nobody can tell."""
    way = WAYS[kind]
    way.wanted(bench)
    _plan(bench, way, Killed(), when)
    bench.act()
    assert bench.ledger.dead
    _in_the_end(bench, way)


@pytest.mark.parametrize("writes", range(4))
@pytest.mark.parametrize("kind", WAYS)
def test_killed_around_the_ledgers_own_writes(bench: Bench, kind: str, writes: int) -> None:
    """Before it is taken, between its attempt and its end, and after; some kinds take two attempts."""
    way = WAYS[kind]
    way.wanted(bench)
    bench.ledger.kill_after = writes
    bench.act()
    bench.ledger.kill_after = None
    _in_the_end(bench, way)


@pytest.mark.parametrize("timed_out", [False, True], ids=["reset", "time-out"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", WAYS)
def test_cut_off(bench: Bench, kind: str, when: When, timed_out: bool) -> None:
    """The network goes, before or after the site carried it out."""
    way = WAYS[kind]
    way.wanted(bench)
    _plan(bench, way, UnknownOutcome("no answer", timed_out=timed_out), when)
    bench.act()
    _in_the_end(bench, way)


@pytest.mark.parametrize(
    "how",
    [Killed(), UnknownOutcome("reset"), UnknownOutcome("time-out", timed_out=True)],
    ids=["kill", "reset", "time-out"],
)
@pytest.mark.parametrize("kind", CREATES)
def test_carried_out_long_after_the_connection_is_gone(bench: Bench, kind: str, how: BaseException) -> None:
    """The site commits 20 s late, when the first look has found nothing: it is found by the second, and not sent again."""
    way = WAYS[kind]
    way.wanted(bench)
    _plan(bench, way, how, "late")
    bench.act()
    if bench.ledger.dead:
        bench.restart()
    sent = len(bench.site.writes)
    bench.wait(LATE - 0.1)
    assert (way.there(bench), len(bench.site.writes)) == (0, sent)
    bench.site.faults.commit_late()
    _in_the_end(bench, way)
    assert len(bench.site.writes) == sent + 1


@pytest.mark.parametrize("kind", CREATES)
def test_the_second_look_waits_for_what_is_late(bench: Bench, kind: str) -> None:
    """Two seconds to the first look after a reset, twenty more to the second; then, and only then, it is sent again."""
    way = WAYS[kind]
    way.wanted(bench)
    _plan(bench, way, UnknownOutcome("reset"), "before")
    bench.act()
    sent = len(bench.site.writes)
    bench.wait(1.9)
    assert bench.effects()[-1].looked == 0
    bench.wait(0.2)
    assert bench.effects()[-1].looked == 1
    bench.wait(LATE - 0.2)
    assert len(bench.site.writes) == sent
    bench.wait(0.3)
    assert (way.there(bench), len(bench.site.writes)) == (1, sent + 1)


@pytest.mark.parametrize("kind", WAYS)
def test_killed_again_and_again(bench: Bench, kind: str) -> None:
    """Killed at five requests in a row, whatever they are: in the end it is there once."""
    way = WAYS[kind]
    way.wanted(bench)
    for turn in range(5):
        for method in (way.method, "tags", "notes", "analyses_of", "find_jobs_by_tag"):
            faults = bench.channels.faults if method == "send" else bench.site.faults
            faults.add(method, Killed(), when="after" if turn % 2 else "before")
            bench.act()
            if bench.ledger.dead:
                bench.restart()
            faults.clear()
            bench.clock.advance(LATE + 5)
    _in_the_end(bench, way)
