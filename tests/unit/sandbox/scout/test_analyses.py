"""Analyses: what is stored, what is dropped, and what lists show."""

from typing import Any

import pytest

from unit.sandbox.scout.lab import ScoutLab, read


def test_creating_twice_makes_two(lab: ScoutLab) -> None:
    """Nothing about an analysis is unique but its id, which is five letters and digits."""
    made = [lab.done("POST", "/analyses", {"dataset_id": 9, "name": "same"}) for _ in range(50)]
    hashes = {row["hash_id"] for row in made}
    assert len(hashes) == 50
    assert all(len(own) >= 5 and own.islower() | own.isdigit() for own in hashes)
    assert sum(row["name"] == "same" for row in lab.get("/user/myanalyses")) == 50


def test_time_stamps_tell_tens_of_minutes(lab: ScoutLab) -> None:
    """Two edits within them look the same."""
    row = lab.draft()
    lab.later(60)
    shown = lab.done("PUT", f"/analyses/{row.hash_id}", {"dataset_id": 9, "description": "x"})
    assert shown["created_at"] == shown["modified_at"] == "2026-11-20T09:0"
    assert shown["submitted_at"] is None


def test_an_edited_row_moves_in_lists(lab: ScoutLab) -> None:
    """The last in a list is the one written last, not the newest."""
    old, new = lab.draft("old"), lab.draft("new")
    assert lab.get("/user/myanalyses")[-1]["hash_id"] == new.hash_id
    lab.done("PUT", f"/analyses/{old.hash_id}", {"dataset_id": 9, "description": "x"})
    assert lab.get("/user/myanalyses")[-1]["hash_id"] == old.hash_id


def test_a_name_with_a_comma_cannot_be_searched(lab: ScoutLab) -> None:
    """The server splits it."""
    lab.passed("a, b", private=False)
    lab.passed("c", private=False)
    assert lab.get("/analyses", query={"name": "a, b"}) == []
    assert [row["name"] for row in lab.get("/analyses", query={"name": "c,d", "dataset_id": "9,10"})] == ["c"]


@pytest.mark.parametrize(
    ("body", "problems"),
    [
        ({}, {"dataset_id": ["Missing data for required field."]}),
        ({"dataset_id": 9, "name": None}, {"name": ["Field may not be null."]}),
        ({"dataset_id": 9, "runs": None}, {"runs": ["Field may not be null."]}),
        ({"dataset_id": 9, "model": []}, {"model": ["Not a valid mapping type."]}),
        (
            {"dataset_id": "x", "private": "maybe"},
            {"dataset_id": ["Not a valid integer."], "private": ["Not a valid boolean."]},
        ),
        ({"dataset_id": 99}, {"dataset_id": ["Invalid dataset id."]}),
        ({"dataset_id": 9, "runs": [236, 99999]}, {"runs": ["Invalid run id: [{'id': 99999}]"]}),
        ({"dataset_id": 9, "predictors": [99999]}, {"predictors": ["Invalid predictor id."]}),
    ],
    ids=["nothing", "null", "null-runs", "list", "two", "dataset", "run", "predictor"],
)
def test_refused_fields(lab: ScoutLab, body: dict[str, Any], problems: dict[str, Any]) -> None:
    """422 with every complaint, by field."""
    assert lab.refused("POST", "/analyses", body) == (422, {"json": problems})


@pytest.mark.parametrize(
    "body", [{"runs": ["a"]}, {"predictors": [None]}, {"predictors": {}}], ids=["a", "null", "map"]
)
def test_ids_that_crash_the_handler(lab: ScoutLab, body: dict[str, Any]) -> None:
    """The connection is closed, and nothing was made."""
    before = len(lab.scout.analyses)
    assert lab.ask("POST", "/analyses", {"dataset_id": 9, **body}).status == 0
    assert len(lab.scout.analyses) == before


def test_broken_json_is_answered_with_a_page(lab: ScoutLab) -> None:
    """400 and HTML; a body that is not declared as JSON is not read at all."""
    reply = lab.ask("POST", "/analyses", b"{bad")
    assert (reply.status, reply.content_type) == (400, "text/html; charset=utf-8")
    assert lab.ask("POST", "/analyses", b'{"dataset_id": 9}', content_type="text/plain").status == 422
    assert lab.refused("POST", "/analyses", [1]) == (422, {"json": {"_schema": ["Invalid input type."]}})


def test_a_passed_analysis_takes_three_fields(lab: ScoutLab) -> None:
    """The rest of a PUT is dropped with 200; a PUT of nothing else is refused."""
    row = lab.passed()
    path = f"/analyses/{row.hash_id}"
    shown = lab.done("PUT", path, {"dataset_id": 10, "name": "n", "predictors": [], "model": {}})
    assert (shown["name"], shown["dataset_id"], shown["predictors"]) == ("n", 9, [12906])
    assert lab.refused("PUT", path, {"dataset_id": 9, "predictors": []}) == (
        422,
        "Analysis is not editable. Try cloning it.",
    )


def test_nobody_elses(lab: ScoutLab) -> None:
    """404 in another shape than for what is not there."""
    assert lab.refused("PUT", "/analyses/gbp6i", {"dataset_id": 21}) == (404, {"message": "Resource not found."})
    assert lab.refused("PUT", "/analyses/zzzzz", {"dataset_id": 21}) == (404, "Resource not found")


def test_a_clone_does_not_follow_its_parent(lab: ScoutLab) -> None:
    """Its model is its own, its time of creation the parent's."""
    row = lab.passed()
    lab.later(3600)
    clone = lab.scout.analyses[lab.done("POST", f"/analyses/{row.hash_id}/clone", user="ben")["hash_id"]]
    clone.model["Name"] = "other"
    assert row.model["Name"] == "done"
    assert (clone.created, clone.owner == row.owner) == (row.created, False)
    row.status = "FAILED"
    assert lab.ask("DELETE", f"/analyses/{row.hash_id}").status == 0, "a parent cannot go"


def test_filling(lab: ScoutLab) -> None:
    """All runs, predictors by name, and without partial everything stays as it was if one name is missing."""
    contrast = {"ConditionList": ["nope"]}
    step = {"Level": "Run", "Model": {"X": ["rmse", "nope"]}, "Transformations": [], "Contrasts": [contrast]}
    row = lab.draft(runs=[], predictors=[], model={"Steps": [step]})
    path = f"/analyses/{row.hash_id}/fill"
    dry = lab.done("POST", f"{path}?dryrun=true")
    assert (len(dry["runs"]), dry["predictors"], row.runs) == (24, [12906], [])
    whole = lab.done("POST", f"{path}?partial=false")
    assert (len(whole["runs"]), whole["predictors"]) == (24, [])
    assert whole["model"]["Steps"][0]["Model"]["X"] == ["rmse", "nope"]
    filled = lab.done("POST", path)
    assert filled["model"]["Steps"] == [{**step, "Model": {"X": ["rmse"]}, "Contrasts": []}]
    assert sorted(filled["model"]["Input"]) == ["Run", "Subject", "Task"]
    empty = lab.draft(runs=[236], predictors=[], model={})
    assert lab.done("POST", f"/analyses/{empty.hash_id}/fill")["predictors"] == []


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "/nope", 200, "text/html; charset=utf-8"),
        ("GET", "/analyses/", 200, "text/html; charset=utf-8"),
        ("GET", "/datasets/Life", 200, "text/html; charset=utf-8"),
        ("GET", "/auth", 200, "text/html; charset=utf-8"),
        ("POST", "/nope", 405, "text/html; charset=utf-8"),
        ("PATCH", "/analyses/ncfxs", 405, "text/html; charset=utf-8"),
        ("DELETE", "/predictors/collection/1", 405, "text/html; charset=utf-8"),
        ("GET", "/predictors/collection/1", 404, "application/json"),
    ],
)
def test_addresses_that_are_none(lab: ScoutLab, method: str, path: str, status: int, kind: str) -> None:
    """The web page answers with 200, other methods with 405 in HTML."""
    reply = lab.ask(method, path)
    assert (reply.status, reply.content_type) == (status, kind)


def test_json_as_the_server_writes_it(lab: ScoutLab) -> None:
    """Keys in the order of letters, a newline at the end, open to every origin."""
    reply = lab.ask("GET", "/analyses/ncfxs")
    keys = list(read(reply))
    assert keys == sorted(keys)
    assert reply.raw is not None
    assert reply.raw.endswith(b"}\n")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
