"""Shapes of answers, brought into one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from flyball.clients.flywheel.wire import answers
from flyball.clients.flywheel.wire.answers import Misshapen

REF = {"type": "acquisition", "id": "64a000000000000000000004", "name": "T1w.nii.gz"}
CONFIG = {
    "config": {"gear-FREESURFER_LICENSE": "SECRET", "n": 4},
    "destination": {"type": "analysis", "id": "64a000000000000000000005", "extra": 1},
    "inputs": {
        "anatomical": {
            "base": "file",
            "hierarchy": {"type": "acquisition", "id": "64a000000000000000000004"},
            "location": {"name": "T1w.nii.gz", "path": "/flywheel/v0/input/T1w.nii.gz"},
            "object": {"info": {"PatientName": "SECRET"}},
        },
        "api-key": {"base": "api-key", "key": "host:SECRET"},
    },
}


def raw(value: Any) -> bytes:
    """JSON bytes."""
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "body",
    [
        [{"_id": "a"}],
        {"count": 1, "total": 9, "results": [{"_id": "a"}]},
        {"jobs": [{"_id": "a"}]},
        {"total": 1, "jobs": [{"_id": "a"}], "stats": {"pending": 1}},
    ],
)
def test_lists_come_in_three_shapes(body: Any) -> None:
    """Bare, in a page object, under `jobs`."""
    assert answers.listed(raw(body)) == [{"_id": "a"}]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "nothing"),
        (b"<html>", "no JSON"),
        (b"null", "null instead"),
        (b'"x"', "text instead"),
        (b"3", "number instead"),
        (b'{"message": "x"}', "object instead"),
        (b"[1]", "rows are no objects"),
        (b"true", "truth value instead"),
    ],
)
def test_what_is_no_list_is_said_so(body: bytes, what: str) -> None:
    """An error page or an object must not read as an empty list."""
    with pytest.raises(Misshapen, match=what):
        answers.listed(body)


def test_created_ids_are_found_or_missed() -> None:
    """`_id` of old, `id` should it come."""
    assert answers.created_id(b'{"_id": "x"}') == "x"
    assert answers.created_id(b'{"id": "x"}') == "x"
    for body in (b"{}", b"[]", b'{"_id": null}', b'{"_id": ""}', b'{"modified": 1}'):
        with pytest.raises(Misshapen):
            answers.created_id(body)


def test_nodes_get_an_id_and_so_do_their_files() -> None:
    """Files by `file_id`; without one by container and name; in lists of files by `file_id` too."""
    row = {"_id": "c1", "files": [{"_id": "v9", "file_id": "f1", "name": "a"}, {"_id": "v8", "name": "b"}]}
    node = answers.node("acquisition", row)
    assert node["id"] == "c1"
    assert [entry["id"] for entry in node["files"]] == ["f1", "c1/b"]
    assert answers.node("file", {"_id": "v", "file_id": "f"})["id"] == "f"
    assert answers.node("file", {"_id": "v", "name": "a", "parent_ref": {"id": "c1"}})["id"] == "c1/a"
    assert answers.node("container", {"_id": "g", "container_type": "group"})["id"] == "g"


def test_jobs_of_lists_and_of_single_reads_are_alike() -> None:
    """`_id` and a list of inputs, `id` and a map, and the detail's map with records: one shape."""
    listed = {"_id": "j", "inputs": [{"input": "anatomical", **REF}]}
    single = {"id": "j", "inputs": {"anatomical": REF}}
    detail = {
        "id": "j",
        "inputs": {"anatomical": {"ref": REF, "object": {"size": 1}}},
        "parent_info": {"project": {"_id": "p", "label": "P"}},
    }
    assert answers.job(listed) == answers.job(single) == {"id": "j", "inputs": {"anatomical": REF}}
    assert answers.job(detail) == {"id": "j", "inputs": {"anatomical": REF}, "parents": {"project": "p"}}
    assert answers.job({"_id": "j", "inputs": None})["inputs"] == {}


def test_a_jobs_config_is_dropped_but_for_what_it_reads_and_where_it_writes() -> None:
    """Licences, API keys and file info go; references stay; the row itself is not changed."""
    row = {"_id": "j", "config": CONFIG}
    job = answers.job(row)
    assert "SECRET" not in json.dumps(job)
    assert job["config"] == {
        "destination": {"type": "analysis", "id": "64a000000000000000000005"},
        "inputs": {
            "anatomical": {
                "base": "file",
                "hierarchy": {"type": "acquisition", "id": "64a000000000000000000004"},
                "location": {"name": "T1w.nii.gz"},
            }
        },
    }
    assert row["config"] is CONFIG
    kept = answers.job(row, with_config=True)
    assert kept["config"] == CONFIG
    assert answers.without_config({"id": "j", "config": "SECRET"})["config"] == {}


def test_an_analysis_hides_the_config_of_its_job_too() -> None:
    """Also where analyses come with their container, and where a job is still an id."""
    session = answers.node("session", {"_id": "s", "analyses": [{"_id": "a", "job": {"id": "j", "config": CONFIG}}]})
    assert "SECRET" not in json.dumps(session)
    assert session["analyses"][0]["id"] == "a"
    assert answers.node("analysis", {"_id": "a", "job": "j"})["job"] == "j"
