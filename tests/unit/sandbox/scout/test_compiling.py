"""Compiling over time: the queue, its workers, ordered ends, and what is found wrong with a model."""

from typing import Any

import pytest

from flyball.sandbox.scout.habits import Habits
from unit.sandbox.scout.lab import ScoutLab

PASSED = {"status": "PASSED", "traceback": ""}
PENDING = {"status": "PENDING", "traceback": ""}


def start(lab: ScoutLab, hash_id: str, *, build: bool = True) -> Any:
    """Order a compile."""
    return lab.done("POST", f"/analyses/{hash_id}/compile?build={build}")


def status(lab: ScoutLab, hash_id: str) -> Any:
    """Ask for the status."""
    return lab.get(f"/analyses/{hash_id}/compile", user=None)


def test_it_takes_its_time(lab: ScoutLab) -> None:
    """PENDING until the time is over, then PASSED, and public in lists once it is not private."""
    row = lab.draft(private=False)
    assert start(lab, row.hash_id) == PENDING
    lab.later(1.9)
    assert status(lab, row.hash_id) == PENDING
    assert lab.refused("GET", f"/analyses/{row.hash_id}/bundle")[0] == 404
    lab.later(0.2)
    assert status(lab, row.hash_id) == PASSED
    assert row.hash_id in {a["hash_id"] for a in lab.get("/analyses?name=draft")}


def test_a_traceback_shows_before_the_status(lab: ScoutLab) -> None:
    """A failed compile is PENDING with its traceback for a moment."""
    row = lab.draft(model={})
    start(lab, row.hash_id)
    lab.later(2.01)
    text = "Error building analysis.\n'steps'"
    assert status(lab, row.hash_id) == {"status": "PENDING", "traceback": text}
    lab.later(0.1)
    assert status(lab, row.hash_id) == {"status": "FAILED", "traceback": text}


def test_few_workers(lab: ScoutLab) -> None:
    """Tasks wait for a worker, in their order."""
    lab.scout.habits.change({"workers": 2})
    rows = [lab.draft(f"n{number}") for number in range(5)]
    for row in rows:
        start(lab, row.hash_id)
    assert lab.scout.backlog == 5
    lab.later(2.1)
    assert [row.status for row in rows] == ["PASSED"] * 2 + ["PENDING"] * 3
    lab.later(4)
    assert [row.status for row in rows] == ["PASSED"] * 5
    assert lab.scout.backlog == 0


def test_the_worker_is_away(lab: ScoutLab) -> None:
    """What is ordered waits, and cannot be touched meanwhile; on its return everything runs."""
    row = lab.passed()
    lab.scout.habits.change({"worker": False})
    start(lab, row.hash_id)
    start(lab, row.hash_id)
    lab.later(3600)
    assert row.status == "PENDING"
    assert lab.refused("POST", f"/analyses/{row.hash_id}/fill") == (422, "Analysis not editable.")
    assert lab.refused("POST", f"/analyses/{row.hash_id}/clone")[0] == 422
    lab.scout.habits.change({"worker": True})
    lab.scout.work()
    lab.later(2.1)
    assert row.status == "PASSED"


def test_the_queue_is_down(lab: ScoutLab) -> None:
    """FAILED with no traceback, at once; the analysis can be compiled again."""
    lab.scout.habits.change({"broker": False})
    row = lab.draft()
    assert start(lab, row.hash_id) == {"status": "FAILED", "traceback": ""}
    assert lab.ask("POST", f"/analyses/{row.hash_id}/report").status == 0
    lab.scout.habits.change({"broker": True})
    assert start(lab, row.hash_id) == PENDING


def test_a_very_fast_worker(lab: ScoutLab) -> None:
    """The answer to the order says PASSED already."""
    lab.scout.habits.change({"compile_s": 0})
    row = lab.draft()
    assert start(lab, row.hash_id) == PASSED


def test_ordered_ends(lab: ScoutLab) -> None:
    """By name: failing so many times with no traceback, or stuck for ever."""
    outcomes = [{"name": "^shaky", "count": 2}, {"name": "stuck", "status": "STUCK"}]
    lab.scout.habits.change({"outcomes": outcomes, "compile_s": 0})
    shaky, stuck = lab.draft("shaky one"), lab.draft("is stuck")
    ends = [start(lab, shaky.hash_id)["status"] for _ in range(3)]
    assert ends == ["FAILED", "FAILED", "PASSED"]
    assert start(lab, stuck.hash_id) == PENDING
    lab.later(1e6)
    assert status(lab, stuck.hash_id) == PENDING


def test_deleted_meanwhile(lab: ScoutLab) -> None:
    """An analysis that is gone when its task ends stays gone."""
    row = lab.draft()
    start(lab, row.hash_id)
    del lab.scout.analyses[row.hash_id]
    lab.later(5)
    assert lab.refused("GET", f"/analyses/{row.hash_id}")[0] == 404


def step(**fields: Any) -> dict[str, Any]:
    """A model of one step over rmse."""
    return {"Steps": [{"Level": "Run", "Model": {"X": ["rmse"]}, **fields}]}


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"runs": []}, "Error: Predictor events are null"),
        ({"predictors": []}, "Error: Predictor events are null"),
        ({"runs": [320]}, "Error: Predictor events are null"),
        ({"runs": [320], "predictors": [14000]}, "No functional images that match criteria found."),
        ({"model": {"Name": "x"}}, "'steps'"),
        ({"model": step(Model={"X": ["nope"]})}, "No variable named 'nope' found in this collection."),
        ({"model": step(Transformations=[{"Name": "Bogus", "Input": ["rmse"]}])}, "No transformation 'Bogus' found"),
        ({"model": step(Transformations=[{"Name": "Scale", "Input": ["zzz"]}])}, "No variable named 'zzz'"),
        ({"model": step(Contrasts=[{"ConditionList": ["rmse", "b", "a"]}])}, "lists: {'a', 'b'}."),
        ({"model": step(Transformations=[{"Name": "Copy", "Input": ["rmse"], "Output": ["r2"]}])}, None),
        ({"model": step(Transformations={"Instructions": [{"Name": "Scale", "Input": "rmse"}]})}, None),
        ({"model": step(Model={"X": ["rmse", 1]}, Contrasts=[{"ConditionList": ["rmse"]}])}, None),
    ],
    ids=["runs", "predictors", "events", "dataset", "steps", "x", "bogus", "input", "contrast", "copy", "map", "one"],
)
def test_what_is_wrong_with_a_model(lab: ScoutLab, fields: dict[str, Any], problem: str | None) -> None:
    """The texts of the real server; without building, only events are looked at."""
    lab.scout.habits.change({"compile_s": 0})
    row = lab.draft(**fields)
    ended = start(lab, row.hash_id)
    assert ended["status"] == ("PASSED" if problem is None else "FAILED")
    assert (problem or "") in ended["traceback"]
    unbuilt = start(lab, row.hash_id, build=False)["status"]
    assert unbuilt == ("FAILED" if problem and "events are null" in problem else "PASSED")


@pytest.mark.parametrize(
    "values",
    [
        {"speed": 1},
        {"compile_s": -1},
        {"compile_s": [1, "x"]},
        {"token_s": True},
        {"worker": "no"},
        {"workers": 0},
        {"outcomes": [{"name": "x", "status": "DONE"}]},
        {"outcomes": [{"title": "x"}]},
    ],
    ids=["key", "negative", "text", "bool", "switch", "workers", "status", "outcome"],
)
def test_habits_that_cannot_be(values: dict[str, Any]) -> None:
    """Unknown keys and wrong values are refused."""
    with pytest.raises(ValueError, match=r"\w"):
        Habits.read(values)
