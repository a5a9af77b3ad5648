"""Predictors: which of a name is shown, and what becomes of uploads."""

from typing import Any

import pytest

from unit.sandbox.scout.lab import ScoutLab, form, read

GOOD = "onset\tduration\tv\n0\t1\t5\n1\t1\tn/a\n2\t1\t\n3\t1\ta b\n"


def uploaded(lab: ScoutLab, files: dict[str, str], **more: Any) -> Any:
    """An upload after it was read."""
    reply = lab.upload("mine", files, **more)
    assert reply.status == 200, reply
    lab.later(10)
    return lab.get(f"/predictors/collection/{read(reply)['id']}", user=None)


def test_the_newest_of_a_name_wins_before_the_filters(lab: ScoutLab) -> None:
    """One name in many datasets is shown once; a private upload hides the public one on its runs."""
    assert len(lab.get("/predictors?name=rmse")) == 1
    assert len(lab.get("/predictors?name=rmse&newest=false")) == 6
    (before,) = lab.get("/predictors?name=rmse&run_id=236")
    uploaded(lab, {"236": GOOD.replace("v", "rmse")}, user="ben")
    assert lab.get("/predictors?name=rmse&run_id=236") == []
    assert lab.get("/predictors?name=rmse&run_id=236&newest=false") == [before]
    assert lab.get("/predictors?name=rmse&run_id=237") == [before]
    assert "rmse" not in {p["name"] for p in lab.get("/tasks/8/predictors")}
    assert "rmse" in {p["name"] for p in lab.get("/tasks/8/predictors?newest=false")}


def test_coverage_is_not_checked(lab: ScoutLab) -> None:
    """A match on any of the runs is enough."""
    assert [p["name"] for p in lab.get("/predictors?name=any_faces&run_id=1435,1450")] == ["any_faces"]
    assert lab.get("/predictors?name=any_faces&run_id=1450") == []


def test_rows_without_a_value_are_dropped(lab: ScoutLab) -> None:
    """In that column only; values stay text; every run of a file gets the same rows."""
    found = uploaded(lab, {"236,237": GOOD}, descriptions='{"v": "what v is"}')
    assert (found["status"], found["traceback"]) == ("OK", None)
    (made,) = found["predictors"]
    assert (made["description"], made["private"], made["source"]) == ("what v is", True, "Collection: mine")
    events = lab.get(f"/predictor-events?predictor_id={made['id']}", user=None)
    assert [(e["run_id"], e["onset"], e["value"]) for e in events] == [
        (run, onset, value) for run in (236, 237) for onset, value in ((0.0, "5"), (3.0, "a b"))
    ]


@pytest.mark.parametrize(
    ("files", "status", "traceback"),
    [
        ({"236": "start\tduration\tv\n1\t1\t1\n"}, "PENDING", 'Not all columns have "onset" and "duration"'),
        ({"236": "onset,duration,v\n1,1,1\n"}, "PENDING", 'Not all columns have "onset" and "duration"'),
        ({"236": GOOD, "237": GOOD.replace("v", "w")}, "PENDING", "Event files contain distinct columns"),
        ({"236": ""}, "FAILED", "Error reading event files.\nNo columns to parse from file"),
        ({"99999": GOOD}, "FAILED", "Error creating predictors. Failed processing v."),
        ({"236": GOOD + "x\t1\t1\n"}, "FAILED", "Error creating predictors. Failed processing v."),
    ],
    ids=["onset", "commas", "columns", "empty", "run", "number"],
)
def test_uploads_that_fail(lab: ScoutLab, files: dict[str, str], status: str, traceback: str) -> None:
    """Two mistakes never end: PENDING with a traceback."""
    found = uploaded(lab, files)
    assert found["status"] == status
    assert found["traceback"].startswith(traceback)
    lab.later(1e6)
    assert lab.get(f"/predictors/collection/{found['id']}")["status"] == status


def test_columns_of_later_files_only(lab: ScoutLab) -> None:
    """What the first file does not have is dropped without a word."""
    wider = "onset\tduration\tv\tw\n1\t1\t1\t2\n"
    assert [p["name"] for p in uploaded(lab, {"236": GOOD, "237": wider})["predictors"]] == ["v"]


def test_predictors_appear_one_by_one(lab: ScoutLab) -> None:
    """While the upload is PENDING."""
    table = "onset\tduration\tb\ta\tc\n1\t1\t1\t2\t3\n"
    own = read(lab.upload("mine", {"236": table}))["id"]
    seen = []
    for _ in range(5):
        shown = lab.get(f"/predictors/collection/{own}")
        seen.append((shown["status"], [p["name"] for p in shown["predictors"]]))
        lab.later(0.25)
    assert seen == [
        ("PENDING", []),
        ("PENDING", ["a"]),
        ("PENDING", ["a", "b"]),
        ("PENDING", ["a", "b", "c"]),
        ("OK", ["a", "b", "c"]),
    ]


def test_runs_of_another_dataset(lab: ScoutLab) -> None:
    """Nobody objects, and it is wrong."""
    found = uploaded(lab, {"320": GOOD}, dataset_id=9)
    assert (found["status"], found["predictors"][0]["dataset_id"]) == ("OK", 9)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        ("collection_name", {"form": {"collection_name": ["Missing data for required field."]}}),
        ("runs", {"form": {"runs": ["Missing data for required field."]}}),
        ("event_files", {"files": {"event_files": ["Missing data for required field."]}}),
    ],
)
def test_forms_that_lack_something(lab: ScoutLab, left_out: str, message: Any) -> None:
    """422 by field, and no collection."""
    parts = [part for part in form("mine", {"236": GOOD}) if part.name != left_out]
    assert lab.refused("POST", "/predictors/collection", parts=parts) == (422, message)
    assert lab.get("/user/collections") == []


@pytest.mark.parametrize(("name", "descriptions"), [("a/b", None), ("a", "{bad")], ids=["slash", "descriptions"])
def test_forms_that_crash_the_handler(lab: ScoutLab, name: str, descriptions: str | None) -> None:
    """No answer, and no collection."""
    assert lab.upload(name, {"236": GOOD}, descriptions=descriptions).status == 0
    assert lab.get("/user/collections") == []


def test_an_upload_while_the_queue_is_down(lab: ScoutLab) -> None:
    """No answer, but the collection is there, PENDING for ever."""
    lab.scout.habits.change({"broker": False})
    assert lab.upload("orphan", {"236": GOOD}).status == 0
    lab.scout.habits.change({"broker": True})
    lab.later(1e6)
    (orphan,) = lab.get("/user/collections")
    assert (orphan["collection_name"], orphan["status"], orphan["traceback"]) == ("orphan", "PENDING", None)
