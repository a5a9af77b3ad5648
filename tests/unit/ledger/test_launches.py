"""Launches, from the decision to the site: sent once, whatever happens in between."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.bench import Bench, Killed, node
from flyball.ledger.acting import follow_job
from flyball.model.errors import Gone, Permanent, Refused, Transient, UnknownOutcome
from flyball.model.node import Node
from flyball.rules.keys import suffix

RULES = """
rules:
  - id: recon
    each: session
    since: all
    select:
      t1: {files: "file.type == 'nifti'", max: 5}
      t2: {files: "file.type == 'dicom'", max: 1}
    if: len(t1) >= 1
    do:
      - launch:
          gear: freesurfer
          on: session
          inputs: {anatomical: "t1[0]", "t1w_{n}": "t1[1:]", t2w: "t2[0]"}
          config: {n_cpus: 4}
          secrets: {license: env:FS_LICENSE}
  - id: convert
    each: file
    since: all
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}, tags: [lab], priority: high}
"""
SECRET = "s3cret licence"


def scan(ident: str = "f1", *, kind: str = "nifti", **doc: Any) -> Node:
    """A file of the acquisition."""
    return node("file", ident, name=f"{ident}.nii.gz", type=kind, **doc)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES, environment={"FS_LICENSE": SECRET}) as made:
        made.lab(scan())
        slots = {
            "anatomical": {"base": "file", "type": {"enum": ["nifti"]}},
            "t1w_2": {"base": "file", "optional": True},
            "t1w_3": {"base": "file", "optional": True},
            "t2w": {"base": "file", "optional": True},
            "api-key": {"base": "api-key"},
        }
        config = {"n_cpus": {"type": "integer", "default": 1}, "license": {"type": "string", "default": ""}}
        made.site.add_gear("freesurfer", inputs=slots, config=config)
        made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        yield made


def only(bench: Bench) -> Any:
    """The only effect."""
    rows = bench.effects()
    assert len(rows) == 1
    return rows[0]


def sent(bench: Bench) -> list[str]:
    """The launches that reached the site."""
    return [method for method, _ in bench.site.writes]


def test_an_analysis_gear(bench: Bench) -> None:
    """One analysis with a job on the destination, which bear the key; the secret is nowhere but in the request."""
    bench.decide("recon", "e1")
    bench.act()
    method, (level, ident, body) = bench.site.writes[0]
    key = only(bench).once_key
    assert (method, level, ident) == ("launch_analysis", "session", "e1")
    assert body["label"].endswith(suffix(key))
    assert body["info"] == {"flyball": {"once_key": key, "rule": "recon"}}
    assert body["job"]["inputs"] == {"anatomical": {"type": "acquisition", "id": "a1", "name": "f1.nii.gz"}}
    assert body["job"]["config"] == {"n_cpus": 4, "license": SECRET}
    assert body["job"]["tags"] == [key]
    row = only(bench)
    assert row.state == "done"
    assert SECRET not in f"{row.params!r} {row.outcome!r} {row.error!r}"
    assert b'"job":"job' in row.outcome
    assert row.job in bench.site.jobs


def test_a_converter_gear(bench: Bench) -> None:
    """A job of its own, with destination, tags and priority."""
    bench.decide("convert", "f1")
    bench.act()
    method, body = bench.site.writes[0]
    assert method == "add_job"
    assert body["destination"] == {"type": "session", "id": "e1"}
    assert body["tags"] == [only(bench).once_key, "lab"]
    assert body["priority"] == "high"


def test_decided_again_it_is_not_launched_again(bench: Bench) -> None:
    """Also after the wish was gone for a while."""
    bench.decide("recon", "e1")
    bench.act()
    bench.see(scan(kind="dicom"))
    bench.decide("recon", "e1")
    bench.see(scan())
    bench.decide("recon", "e1")
    bench.act()
    assert sent(bench) == ["launch_analysis"]


def test_new_inputs_are_a_new_launch(bench: Bench) -> None:
    """The T2 came three weeks later; and a file was replaced. The earlier runs are our own and count for neither."""
    bench.decide("recon", "e1")
    bench.act()
    bench.see(scan("f2", kind="dicom"))
    bench.decide("recon", "e1")
    bench.act()
    bench.see(scan(version=2))
    bench.decide("recon", "e1")
    bench.act()
    assert sent(bench) == ["launch_analysis"] * 3
    assert len({row.once_key for row in bench.effects()}) == 3


def test_a_launch_that_is_superseded_before_it_begins_is_not_sent(bench: Bench) -> None:
    """The file was replaced meanwhile: only the new one is used."""
    bench.decide("recon", "e1")
    bench.see(scan(version=2))
    bench.decide("recon", "e1")
    bench.act()
    assert bench.states() == ["cancelled", "done"]
    assert sent(bench) == ["launch_analysis"]


def test_an_entry_put_before_it_does_not_lose_a_planned_launch(bench: Bench) -> None:
    """The claim stands at another place in `do`; the launch is the same."""
    bench.decide("recon", "e1")
    before = "    do:\n      - launch:\n          gear: freesurfer"
    assert before in RULES
    note = "    do:\n      - note: {on: session, text: x, when: 'false'}\n      - launch:\n          gear: freesurfer"
    bench.load(RULES.replace(before, note))
    bench.decide("recon", "e1")
    bench.act()
    assert bench.states() == ["done"]


@pytest.mark.parametrize(
    ("state", "expected"),
    [("complete", "done"), ("running", "done"), ("pending", "done"), ("failed", "sent"), ("cancelled", "sent")],
)
@pytest.mark.parametrize("rule", ["recon", "convert"])
def test_an_equal_run_by_others(bench: Bench, rule: str, state: str, expected: str) -> None:
    """One that ran, runs or waits counts as done; one that ended badly does not."""
    reference = {"type": "acquisition", "id": "a1", "name": "f1.nii.gz"}
    if rule == "recon":
        gear, inputs, config = bench.site.gears[0], {"anatomical": reference}, {"n_cpus": 4, "license": "theirs"}
    else:
        gear, inputs, config = bench.site.gears[1], {"source": reference}, {}
    job = bench.site.run_by_others(gear, "session", "e1", inputs, state=state, config=config)
    bench.decide(rule, "e1" if rule == "recon" else "f1")
    bench.act()
    if expected == "sent":
        assert len(bench.site.writes) == 1
    else:
        assert bench.site.writes == []
        assert only(bench).job == job["id"]
        assert b'"already":true' in only(bench).outcome


@pytest.mark.parametrize(
    "other",
    [
        {"inputs": {"anatomical": {"type": "acquisition", "id": "a2", "name": "f1.nii.gz"}}},
        {"inputs": {}},
        {"config": {"n_cpus": 8}},
        {"config": {}},
        {"destination": "subject"},
        {"tags": ["fb-of-this-rule"]},
        {"records": [{"name": "f1.nii.gz", "version": 0}]},
    ],
)
def test_what_is_no_equal_run(bench: Bench, other: dict[str, Any]) -> None:
    """Other files, another config, another destination, an earlier version of the file."""
    inputs = other.get("inputs", {"anatomical": {"type": "acquisition", "id": "a1", "name": "f1.nii.gz"}})
    ident = "s1" if other.get("destination") == "subject" else "e1"
    more = {name: other[name] for name in ("tags", "records") if name in other}
    config = other.get("config", {"n_cpus": 4})
    if "tags" in more:  # a run of this very rule with other inputs, known to the ledger
        bench.see(scan(version=7))
        bench.decide("recon", "e1")
        more = {"tags": [bench.effects()[0].once_key]}
        bench.see(scan())
    gear = bench.site.gears[0]
    bench.site.run_by_others(gear, other.get("destination", "session"), ident, inputs, config=config, **more)
    bench.decide("recon", "e1")
    bench.act()
    assert sent(bench) == ["launch_analysis"]


@pytest.mark.parametrize("mark", ["info", "tags", "label"])
def test_a_run_of_ours_is_found_when_the_ledger_was_lost(bench: Bench, mark: str) -> None:
    """By the analysis' info, the job's tag, or the label's end: nothing is sent."""
    key = bench.plan("recon", "e1")[0].once_key
    marks: dict[str, dict[str, Any]] = {
        "info": {"info": {"flyball": {"once_key": key}}},
        "tags": {"tags": [key]},
        "label": {"label": f"x{suffix(key)}"},
    }
    more = marks[mark]
    inputs = {"anatomical": {"type": "acquisition", "id": "gone", "name": "gone"}}
    bench.site.run_by_others(bench.site.gears[0], "session", "e1", inputs, state="failed", **more)
    bench.decide("recon", "e1")
    bench.act()
    assert (bench.site.writes, only(bench).state) == ([], "done")


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


def test_the_job_is_followed(bench: Bench) -> None:
    """Its states, and those of its retries, which carry the same tags; what is older is no news."""
    bench.decide("recon", "e1")
    bench.act()
    first = dict(bench.site.end_job(only(bench).job, "running"))
    bench.ledger.do(lambda one: follow_job(one, first))
    assert only(bench).job_state == "running"
    failed = {**first, "state": "failed", "failure_reason": "out of memory"}
    bench.ledger.do(lambda one: follow_job(one, failed))
    assert b'"failure_reason":"out of memory"' in only(bench).outcome
    second = {**first, "id": "job-again", "state": "complete", "attempt": 2, "previous_job_id": first["id"]}
    bench.ledger.do(lambda one: follow_job(one, second))
    bench.ledger.do(lambda one: follow_job(one, {**failed, "retried": "2026-11-20T12:00:00"}))
    assert (only(bench).job, only(bench).job_state) == ("job-again", "complete")
    assert b"out of memory" not in only(bench).outcome


def test_a_job_that_nobody_knows_changes_nothing(bench: Bench) -> None:
    """No id, no state, strange tags, a stranger's job."""
    bench.decide("recon", "e1")
    bench.act()
    before = only(bench)
    for job in ({}, {"id": None, "state": "failed"}, {"id": "x"}, {"id": "x", "state": "failed", "tags": [None, 3]}):
        bench.ledger.do(lambda one, job=job: follow_job(one, job))  # type: ignore[misc] # bound
    assert only(bench) == before


def test_a_secret_in_an_error_text_is_masked(bench: Bench) -> None:
    """A site may repeat what it was sent."""
    bench.site.faults.add("launch_analysis", Permanent(f"license {SECRET} is not valid", status=422))
    bench.decide("recon", "e1")
    bench.act()
    assert only(bench).error == "license *** licence is not valid"


def test_more_files_than_slots(bench: Bench) -> None:
    """Failed, naming the slot that there is not and those that there are."""
    bench.see(*(scan(f"g{number}") for number in range(4)))
    bench.decide("recon", "e1")
    bench.act()
    assert only(bench).state == "failed"
    assert "it has no input 't1w_4'" in only(bench).error


def test_a_file_of_the_wrong_type(bench: Bench) -> None:
    """The manifest says which types a slot takes; a site may not check that."""
    gear = bench.site.gears[1]
    gear["gear"]["inputs"]["source"]["type"] = {"enum": ["dicom"]}
    bench.decide("convert", "f1")
    bench.act()
    assert only(bench).error == "gear dcm2niix: input 'source' takes dicom, and 'f1.nii.gz' is nifti"
