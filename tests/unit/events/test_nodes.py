"""From rows to nodes: what is kept, what is hidden, what is broken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.events.nodes import SINGLE, Trust, label_of, nodes_of, parents_of
from flyball.model.levels import Level
from flyball.model.node import Node, Presence

ID = "64a000000000000000000003"
LISTED = Trust(tags=False, info=False)
ROW: dict[str, Any] = {
    "_id": ID,
    "id": ID,
    "label": "ses-01",
    "group": "scien",
    "project": "p1",
    "parents": {"group": "scien", "project": "p1", "subject": "s1"},
    "subject": {"_id": "s1", "label": "sub-01", "code": "sub-01", "modified": "x", "sex": "female"},
    "tags": ["A"],
    "info": {"visit": 1},
    "created": "2026-11-02T09:15:42.318000+00:00",
    "modified": "2026-11-02T10:01:07+00:00",
    "revision": 4,
    "permissions": [{"_id": "op@example.org"}],
    "info_exists": True,
    "analyses": [{"_id": "x"}],
    "files": [
        {"file_id": "f1", "name": "a.nii.gz", "tags": ["T"], "info": {"x": 1}, "modified": "2026-11-02T11:00:00+00:00"},
        {"name": "b.txt", "info_exists": False},
    ],
}


def nodes(level: Level = Level.SESSION, trust: Trust = SINGLE, *, with_files: bool = True, **row: Any) -> list[Node]:
    """The nodes of a row."""
    return list(nodes_of("main", level, {**ROW, **row}, trust, with_files=with_files))


def test_a_container_and_its_files() -> None:
    """What belongs to others is left out; files are nodes of their own, below the container."""
    session, first, second = nodes()
    assert session.key.id == ID
    assert session.parents == {"group": "scien", "project": "p1", "subject": "s1"}
    assert (session.revision, session.modified) == (4, datetime(2026, 11, 2, 10, 1, 7, tzinfo=UTC))
    assert not session.doc.keys() & {"files", "analyses", "permissions", "info_exists", "_id"}
    assert session.doc["subject"] == {"_id": "s1", "label": "sub-01", "code": "sub-01"}
    assert (first.id, first.label, first.parents["session"]) == ("f1", "a.nii.gz", ID)
    assert second.id == f"{ID}/b.txt"
    assert second.doc["parent_ref"] == {"type": "session", "id": ID}
    assert len(nodes(with_files=False)) == 1


def test_what_lists_hide_is_unknown_and_not_none() -> None:
    """Tags and info go; files show their own tags in every list."""
    session, first, second = nodes(trust=LISTED, tags=[], info={})
    assert not session.doc.keys() & {"tags", "info"}
    assert (session.tags_known, session.info_known) == (False, False)
    assert (first.tags_known, first.info_known) == (True, False)
    assert (second.tags_known, second.info_known) == (False, True)
    assert nodes(trust=LISTED, info={}, info_exists=False)[0].doc["info"] == {}


def test_what_is_unset_is_empty() -> None:
    """Absent and null both mean none, where the answer is trusted."""
    assert nodes(tags=None, info=None)[0].doc["tags"] == []
    assert nodes(tags="x")[0].doc["tags"] == []
    assert nodes(tags=["a", 3, None])[0].doc["tags"] == ["a"]
    assert nodes(info=None)[0].doc["info"] == {}
    job = nodes(Level.JOB, id="j", state="running", tags=None)[0]
    assert job.doc["tags"] == []
    assert "info" not in job.doc


def test_a_joined_subject_does_not_change_its_sessions() -> None:
    """Nor do the site's own counters."""
    before = nodes()[0]
    after = nodes(subject={**ROW["subject"], "modified": "y", "tags": ["B"]}, modified="2026-11-03", revision=5)[0]
    assert (after.whole, after.content) == (before.whole, before.content)
    assert nodes(subject={**ROW["subject"], "label": "other"})[0].whole != before.whole


def test_a_job_keeps_no_config_and_no_heartbeat() -> None:
    """Licences stand in a gear's config; `profile` and `modified` move while it runs."""
    row: dict[str, Any] = {
        "id": "j",
        "state": "running",
        "config": {"config": {"license": "secret"}},
        "gear_info": {"name": "mriqc"},
    }
    first = nodes(Level.JOB, **row, profile={"elapsed": 1})[0]
    second = nodes(Level.JOB, **row, profile={"elapsed": 2}, modified="2026-11-02T10:09:00+00:00")[0]
    assert "config" not in first.doc
    assert first.whole == second.whole
    assert first.label == "mriqc"


def test_an_analysis_keeps_its_files_and_the_id_of_its_job() -> None:
    """Its outputs are no files of the hierarchy; lists show the job's id alone, single answers all of it."""
    [analysis] = nodes(Level.ANALYSIS, parent={"type": "session", "id": "e9"}, parents=None, job={"id": "j1"})
    assert analysis.doc["job"] == "j1"
    assert len(analysis.doc["files"]) == 2
    assert analysis.parents["session"] == "e9"
    output: dict[str, Any] = {"name": "out.zip", "file_id": "f9", "parent_ref": {"type": "analysis", "id": ID}}
    assert nodes(Level.FILE, **output) == []


def test_a_deleted_file_is_gone() -> None:
    """Some lists show it with the time of its end."""
    row: dict[str, Any] = {
        "name": "a",
        "file_id": "f",
        "parent_ref": {"type": "session", "id": ID},
        "deleted": "2026-11-02T10:00:00Z",
    }
    assert nodes(Level.FILE, **row)[0].presence is Presence.GONE


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"label": "a"}, "a"),
        ({"label": None, "code": "c"}, "c"),
        ({"label": 1001}, "1001"),
        ({"label": "\ud800"}, "?"),
        ({}, ""),
    ],
)
def test_labels(row: dict[str, Any], wanted: str) -> None:
    """Always a text that can be stored."""
    assert label_of(Level.SUBJECT, row) == wanted


def test_parents() -> None:
    """From `parents`, from the older fields, from the destination; only texts, and never the node itself."""
    assert parents_of(Level.ACQUISITION, {"session": "e1", "group": {"_id": "g"}}) == {"session": "e1", "group": "g"}
    assert parents_of(Level.JOB, {"destination": {"type": "session", "id": "e1"}}) == {"session": "e1"}
    assert parents_of(Level.SESSION, {"parents": {"session": "me", "project": 3, "group": "g"}}) == {"group": "g"}
    assert parents_of(Level.SESSION, {"parents": "none"}) == {}


@pytest.mark.parametrize("ident", [None, 17, ["x"]])
def test_a_row_without_an_id_is_no_node(ident: Any) -> None:
    """And no reason to stop."""
    assert nodes(id=ident, _id=ident) == []


@pytest.mark.parametrize("revision", ["4", 4.0, True, 2**63, None])
def test_a_revision_that_is_none(revision: Any) -> None:
    """Only a whole number that can be stored counts."""
    assert nodes(revision=revision)[0].revision is None
