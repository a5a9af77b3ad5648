"""Launches, from the decision to the site: what is sent, what counts as done already, what becomes of the job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fakes.bench import Bench
from flyball.ledger.acting import follow_job
from flyball.rules.keys import suffix
from unit.ledger.launch_lab import RULES, SECRET, launch_bench, only, scan, sent


@pytest.fixture
def bench() -> Iterator[Bench]:
    with launch_bench() as made:
        yield made


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
