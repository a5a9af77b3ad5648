"""Launches in bad weather: unclear ends, kills, refusals, a site that is away. Sent once, whatever happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.bench import Bench, Killed
from flyball.model.errors import Gone, Permanent, Refused, Transient, UnknownOutcome
from unit.ledger.launch_lab import RULES, SECRET, launch_bench, only, scan, sent


@pytest.fixture
def bench() -> Iterator[Bench]:
    with launch_bench() as made:
        yield made


@pytest.mark.parametrize(("rule", "target"), [("recon", "e1"), ("convert", "f1")])
@pytest.mark.parametrize(("timed_out", "wait"), [(False, 2), (True, 60)])
def test_an_unclear_end_is_looked_up_twice(bench: Bench, rule: str, target: str, timed_out: bool, wait: int) -> None:
    """Each look no earlier than the site's wait, on a fresh connection; then, and only then, it is sent again."""
    method = "launch_analysis" if rule == "recon" else "add_job"
    bench.site.faults.add(method, UnknownOutcome("no answer", timed_out=timed_out))
    bench.decide(rule, target)
    bench.act()
    bench.site.reads.clear()
    assert bench.wait(wait - 0.1) == []
    bench.wait(0.1)
    assert (bench.site.writes, only(bench).looked) == ([], 1)
    assert bench.wait(wait - 0.1) == []
    bench.wait(0.1)
    assert len(bench.site.writes) == 1
    looks = [fresh for name, fresh in bench.site.reads if name in ("analyses_of", "find_jobs_by_tag")]
    assert looks
    assert all(looks)


@pytest.mark.parametrize(("rule", "target"), [("recon", "e1"), ("convert", "f1")])
@pytest.mark.parametrize("keeps_info", [True, False])
def test_an_unclear_end_that_arrived_is_found(bench: Bench, rule: str, target: str, keeps_info: bool) -> None:
    """Also on a site of 2019, which keeps no info."""
    bench.site.keeps_info = keeps_info
    method = "launch_analysis" if rule == "recon" else "add_job"
    bench.site.faults.add(method, UnknownOutcome("reset"), when="after")
    bench.decide(rule, target)
    bench.act()
    bench.wait(2)
    assert (len(bench.site.writes), only(bench).state, only(bench).unclear) == (1, "done", 0)
    assert only(bench).job in bench.site.jobs


def test_one_that_commits_between_the_looks_is_found(bench: Bench) -> None:
    """A POST may commit after our time-out."""
    bench.site.faults.add("launch_analysis", UnknownOutcome("time-out", timed_out=True), when="late")
    bench.decide("recon", "e1")
    bench.act()
    bench.wait(60)
    bench.site.faults.commit_late()
    bench.wait(60)
    assert (len(bench.site.analyses), only(bench).state) == (1, "done")


def test_a_second_unclear_end_is_looked_up_twice_again(bench: Bench) -> None:
    """Two resets, then it goes through: one launch."""
    bench.site.faults.add("launch_analysis", UnknownOutcome("reset"), times=2)
    bench.decide("recon", "e1")
    bench.settle()
    assert (len(bench.site.analyses), only(bench).state) == (1, "done")
    assert only(bench).attempts == 5


def test_a_site_that_only_gives_unclear_answers_is_asked_less_and_less_often(bench: Bench) -> None:
    """Every few minutes in the end; nothing is given up."""
    bench.site.faults.add("launch_analysis", UnknownOutcome("502", status=502), times=12)
    bench.decide("recon", "e1")
    bench.settle()
    assert (len(bench.site.analyses), only(bench).state) == (1, "done")
    assert bench.clock.seconds - 1000.0 > 2 * (2 + 4 + 8 + 16 + 32 + 64 + 128 + 256)


def test_an_unclear_launch_that_nobody_wants_any_more(bench: Bench) -> None:
    """It is looked for, and not sent again; wanted once more, it is."""
    bench.site.faults.add("launch_analysis", UnknownOutcome("reset"))
    bench.decide("recon", "e1")
    bench.act()
    bench.see(scan(kind="dicom"))
    bench.decide("recon", "e1")
    bench.settle()
    assert (bench.site.writes, only(bench).state) == ([], "cancelled")
    bench.see(scan())
    bench.decide("recon", "e1")
    bench.act()
    assert len(bench.site.analyses) == 1


def test_a_key_that_may_not_list_jobs(bench: Bench) -> None:
    """Analyses are found all the same. A job of its own cannot be: it is not sent a second time, and a person is told."""
    bench.site.lists_jobs = False
    bench.site.faults.add("launch_analysis", UnknownOutcome("reset"))
    bench.site.faults.add("add_job", UnknownOutcome("reset"))
    bench.decide("recon", "e1")
    bench.decide("convert", "f1")
    bench.settle()
    assert bench.states() == ["done", "failed"]
    assert "look for a job with tag fb-" in bench.effects()[1].error
    assert sent(bench) == ["launch_analysis"]


@pytest.mark.parametrize("rule", ["recon", "convert"])
def test_a_key_that_may_not_list_jobs_may_launch(bench: Bench, rule: str) -> None:
    """The first attempt needs no list of jobs; what others ran cannot be seen then."""
    bench.site.lists_jobs = False
    bench.decide(rule, "e1" if rule == "recon" else "f1")
    bench.act()
    assert only(bench).state == "done"


def test_an_analysis_without_a_job_is_reported(bench: Bench) -> None:
    """The site broke off in the middle: nothing is sent again, and a person is told what to do."""
    bench.site.faults.add("half_a_launch", UnknownOutcome("502", status=502))
    bench.decide("recon", "e1")
    bench.settle()
    assert only(bench).state == "failed"
    assert "has no job: the site broke off" in only(bench).error
    assert (len(bench.site.analyses), len(bench.site.jobs)) == (1, 0)


def test_an_analysis_whose_job_comes_late_is_done(bench: Bench) -> None:
    """Between analysis and job a site may take its time."""
    bench.site.faults.add("half_a_launch", UnknownOutcome("504", status=504))
    bench.decide("recon", "e1")
    bench.act()
    bench.wait(2)
    assert only(bench).state == "waiting"
    body = bench.site.writes[0][1][2]["job"]
    bench.site.analyses[0]["job"] = bench.site._new_job(body, {"type": "analysis", "id": "x"})
    bench.settle()
    assert only(bench).state == "done"


@pytest.mark.parametrize(
    "error", [Permanent("no provider", status=412), Permanent("bad config", status=422), Gone("no file", status=404)]
)
def test_what_can_never_succeed(bench: Bench, error: Permanent) -> None:
    """Failed with the site's reason; new decisions do not launch it again: a failed launch frees nothing."""
    bench.site.faults.add("launch_analysis", error)
    bench.decide("recon", "e1")
    bench.act()
    assert (only(bench).state, only(bench).error) == ("failed", str(error))
    bench.decide("recon", "e1")
    assert bench.settle() == []


def test_a_gear_that_is_not_there(bench: Bench) -> None:
    """Failed with the reason."""
    bench.site.gears.clear()
    bench.decide("recon", "e1")
    bench.act()
    assert (only(bench).state, only(bench).error) == ("failed", "gear freesurfer is not there")


def test_a_gear_that_went_away_after_an_unclear_launch(bench: Bench) -> None:
    """The job is found all the same."""
    bench.site.faults.add("launch_analysis", UnknownOutcome("reset"), when="after")
    bench.decide("recon", "e1")
    bench.act()
    bench.site.gears.clear()
    bench.wait(2)
    assert only(bench).state == "done"


def test_being_told_to_wait_is_obeyed(bench: Bench) -> None:
    """429 with a wait: no earlier, and never given up for it."""
    bench.site.faults.add("launch_analysis", Transient("busy", status=429, wait=30), times=20)
    bench.decide("recon", "e1")
    bench.act()
    assert (only(bench).state, only(bench).failures) == ("planned", 0)
    assert bench.wait(29.9) == []
    bench.settle()
    assert (only(bench).state, only(bench).attempts) == ("done", 21)


@pytest.mark.parametrize(
    "error", [Refused("the key is not accepted", status=401), Transient("cannot reach the site")], ids=["401", "away"]
)
def test_a_wrong_key_or_a_dead_site_loses_nothing(bench: Bench, error: Exception) -> None:
    """It is tried again for as long as it takes, every few minutes at the least."""
    bench.site.faults.add("gear", error, times=100)
    bench.decide("recon", "e1")
    for _ in range(100):
        bench.act()
        due = bench.next_due()
        assert due is not None
        assert (due - bench.clock.now()).total_seconds() <= 300
        bench.clock.advance_to(due)
    bench.act()
    assert only(bench).state == "done"


def test_a_request_that_keeps_failing_is_given_up(bench: Bench) -> None:
    """500 again and again is not the weather; after eight attempts a person must look."""
    bench.site.faults.add("gear", Transient("500", status=500), times=100)
    bench.decide("recon", "e1")
    bench.settle()
    assert (only(bench).state, only(bench).attempts) == ("failed", 8)


def test_a_rules_own_retry(bench: Bench) -> None:
    """So many attempts, so far apart, whatever the reason."""
    bench.load(RULES.replace("  - id: recon\n", "  - id: recon\n    retry: {attempts: 3, backoff: [1s, 2s]}\n"))
    bench.site.faults.add("gear", Transient("503", status=503), times=100)
    bench.decide("recon", "e1")
    bench.settle()
    assert (only(bench).state, only(bench).attempts) == ("failed", 3)
    assert 1.0 < (bench.clock.seconds - 1000.0) <= 3.0


def test_what_may_have_been_sent_is_never_given_up_before_the_site_was_asked(bench: Bench) -> None:
    """However often the question fails."""
    bench.load(RULES.replace("  - id: recon\n", "  - id: recon\n    retry: {attempts: 2, backoff: [1s, 2s]}\n"))
    bench.site.faults.add("launch_analysis", UnknownOutcome("reset"), when="after")
    bench.site.faults.add("analyses_of", Transient("500", status=500), times=1)
    bench.decide("recon", "e1")
    bench.act()
    bench.settle()
    bench.site.faults.clear()
    assert only(bench).state == "done"
    assert len(bench.site.analyses) == 1


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["gear", "analyses_of", "launch_analysis", "launched"])
def test_a_kill_at_any_request(bench: Bench, method: str, when: str) -> None:
    """One launch, found or sent; never two."""
    bench.site.faults.add(method, Killed(), when="before" if when == "before" else "after")
    bench.decide("recon", "e1")
    bench.act()
    assert bench.restart() == 1
    bench.settle()
    assert (len(bench.site.analyses), only(bench).state) == (1, "done")


@pytest.mark.parametrize("writes", [0, 1, 2])
def test_a_kill_at_any_write_of_the_ledger(bench: Bench, writes: int) -> None:
    """Before it is taken, between the attempt and its outcome, after it."""
    bench.decide("recon", "e1")
    bench.ledger.kill_after = writes
    bench.act()
    bench.restart()
    bench.settle()
    assert (len(bench.site.analyses), only(bench).state) == (1, "done")


def test_a_secret_in_an_error_text_is_masked(bench: Bench) -> None:
    """A site may repeat what it was sent."""
    bench.site.faults.add("launch_analysis", Permanent(f"license {SECRET} is not valid", status=422))
    bench.decide("recon", "e1")
    bench.act()
    assert only(bench).error == "license *** licence is not valid"


def test_a_secret_is_in_no_log(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever becomes of the launch."""
    bench.site.faults.add("launch_analysis", UnknownOutcome(f"reset after {SECRET}"))
    bench.site.faults.add("analyses_of", KeyError(SECRET))
    bench.decide("recon", "e1")
    bench.settle()
    said = capsys.readouterr()
    assert "effect.broken" in said.out + said.err
    assert SECRET not in "\n".join(line for line in said.out.splitlines() if "effect.attempt" in line)
