"""Creating, changing and deleting containers; tags, notes and info."""

from typing import Any

import pytest

from unit.sandbox.lab import Lab


def test_creating_the_hierarchy(lab: Lab) -> None:
    """Each create answers the new id, and the new container knows its parents."""
    assert lab.ask("POST", "/groups", {"_id": "new", "label": "New"}).body == {"_id": "new"}
    project = lab.ask("POST", "/projects", {"label": "P", "group": "new"}).body["_id"]
    subject = lab.ask("POST", "/subjects", {"label": "S", "project": project, "sex": "male"}).body["_id"]
    body = {"label": "V", "project": project, "subject": {"_id": subject}, "age": 1072137600.0}
    session = lab.ask("POST", "/sessions", body).body["_id"]
    body = {"label": "A", "session": session, "timestamp": "2019-10-03T15:32:00+02:00"}
    acquisition = lab.get(f"/acquisitions/{lab.ask('POST', '/acquisitions', body).body['_id']}")
    assert acquisition["parents"] == {"group": "new", "project": project, "subject": subject, "session": session}
    assert acquisition["timestamp"] == "2019-10-03T13:32:00+00:00"
    assert lab.get(f"/sessions/{session}")["age"] == 1072137600


def test_labels_and_their_uniqueness(lab: Lab) -> None:
    """A subject's label is unique in its project (422); sessions' and projects' are not."""
    project = lab.project["_id"]
    refused = lab.ask("POST", "/subjects", {"label": "sub-01", "project": project})
    assert (refused.status, refused.body["core_status_code"]) == (422, "input_validation_error")
    assert lab.ask("POST", "/projects", {"label": "tome", "group": "scien"}).status == 200
    body = {"label": "ses-01", "project": project, "subject": {"_id": lab.subject["_id"]}}
    assert lab.ask("POST", "/sessions", body).status == 200


@pytest.mark.parametrize(
    "body",
    [
        {"bogus": 1},
        {"tags": ["x"]},
        {"label": 5},
        {"label": ""},
        {"label": "x" * 257},
        {"timestamp": "2026-11-20T09:00:00"},
        {"timestamp": "yesterday"},
        {},
    ],
)
def test_bodies_are_checked_strictly(lab: Lab, body: Any) -> None:
    """Unknown keys, wrong types, empty bodies and times without a zone are 400 with a reason."""
    refused = lab.ask("PUT", f"/sessions/{lab.session['_id']}", body)
    assert refused.status == 400
    assert refused.body["reason"] == "Object does not match schema"


def test_info_in_a_put_is_merged_and_set_replaces_whole_keys(lab: Lab) -> None:
    """PUT merges level by level; `set` only at the top; dots and dollars are replaced."""
    path = f"/sessions/{lab.session['_id']}"
    lab.ask("PATCH", f"{path}/info", {"set": {"a": {"x": 1}, "b.c": 2, "$d": {"e.f": 3}}})
    lab.ask("PUT", path, {"info": {"a": {"y": 2}}})
    assert lab.get(path)["info"] == {"a": {"x": 1, "y": 2}, "b_c": 2, "-d": {"e_f": 3}}
    lab.ask("PATCH", f"{path}/info", {"set": {"a": {"z": 3}}, "delete": ["b.c"]})
    assert lab.get(path)["info"] == {"a": {"z": 3}, "-d": {"e_f": 3}}
    assert lab.ask("PATCH", f"{path}/info", {"replace": {"only": 1}}).body == {"modified": 1}
    assert lab.get(path)["info"] == {"only": 1}
    assert lab.ask("PATCH", f"{path}/info", {"set": {}, "replace": {}}).status == 400


def test_info_on_a_2019_site(old_lab: Lab) -> None:
    """PATCH is not implemented, POST works and answers nothing."""
    path = f"/sessions/{old_lab.session['_id']}/info"
    assert old_lab.ask("PATCH", path, {"set": {"a": 1}}).status == 501
    reply = old_lab.ask("POST", path, {"set": {"a": 1}})
    assert (reply.status, reply.raw) == (200, b"")
    assert old_lab.session["info"] == {"a": 1}


def test_tags(lab: Lab) -> None:
    """Add, double (409), rename, clash (404), delete, delete again (200)."""
    path = f"/acquisitions/{lab.acquisition()['_id']}/tags"
    assert lab.ask("POST", path, {"value": "LOW_SNR"}).body == {"modified": 1}
    double = lab.ask("POST", path, {"value": "LOW_SNR"})
    assert (double.status, double.body["message"]) == (409, "Item already exists in list.")
    assert lab.ask("PUT", f"{path}/LOW_SNR", {"value": "NEW"}).status == 200
    assert lab.ask("PUT", f"{path}/LOW_SNR", {"value": "X"}).status == 404
    lab.ask("POST", path, {"value": "T2"})
    assert lab.ask("PUT", f"{path}/T2", {"value": "NEW"}).status == 404
    assert lab.ask("DELETE", f"{path}/T2").body == {"modified": 1}
    assert lab.ask("DELETE", f"{path}/T2").body == {"modified": 1}
    assert lab.acquisition()["tags"] == ["NEW"]
    assert lab.ask("GET", f"{path}/NEW").body == "NEW"
    assert lab.ask("GET", f"{path}/T2").status == 404


@pytest.mark.parametrize(("tag", "status"), [("", 400), ("a/b", 400), ("é" * 33, 400), (5, 400), ("é, #" * 8, 200)])
def test_tag_limits(lab: Lab, tag: Any, status: int) -> None:
    """1 to 32 characters without a slash; blanks, commas, unicode pass."""
    assert lab.ask("POST", f"/sessions/{lab.session['_id']}/tags", {"value": tag}).status == status


def test_many_tags_at_once(lab: Lab) -> None:
    """PATCH adds, DELETE with a body removes and ignores absent ones, bulk reaches several containers."""
    path = f"/sessions/{lab.session['_id']}/tags"
    lab.ask("PATCH", path, ["A", "B"])
    assert lab.ask("PATCH", path, ["B", "C"]).raw == b""
    lab.ask("DELETE", path, ["A", "absent"])
    assert lab.session["tags"] == ["B", "C"]
    both = [lab.session["_id"], lab.acquisition()["_id"]]
    assert lab.ask("POST", "/bulk/add/tags", {"containers": both, "tags": ["Z"]}).status == 200
    assert "Z" in lab.session["tags"]
    assert lab.acquisition()["tags"] == ["Z"]
    lab.ask("POST", "/bulk/remove/tags", {"containers": both, "tags": ["Z"]})
    assert lab.session["tags"] == ["B", "C"]


def test_notes(lab: Lab, old_lab: Lab) -> None:
    """A note comes back on a recent site; on a 2019 one only that something was modified."""
    path = f"/sessions/{lab.session['_id']}/notes"
    note = lab.ask("POST", path, {"text": "checked"}).body
    assert (note["text"], note["user"]) == ("checked", "admin@example.org")
    lab.ask("PUT", f"{path}/{note['_id']}", {"text": "again"})
    assert lab.get(f"/sessions/{lab.session['_id']}")["notes"][0]["text"] == "again"
    assert lab.ask("DELETE", f"{path}/{note['_id']}").status == 200
    assert lab.ask("DELETE", f"{path}/{note['_id']}").status == 404
    assert old_lab.ask("POST", f"/sessions/{old_lab.session['_id']}/notes", {"text": "x"}).body == {"modified": 1}


@pytest.mark.parametrize(("path", "body"), [("/groups", {"label": "X"}), ("/collections", {"description": "x"})])
def test_required_fields_of_creates(lab: Lab, path: str, body: Any) -> None:
    """A group needs an id, a collection a label."""
    assert lab.ask("POST", path, body).status == 400


def test_deleting(lab: Lab) -> None:
    """A container goes with all below it, a second time it is absent."""
    acquisition = lab.acquisition()
    assert lab.ask("DELETE", f"/acquisitions/{acquisition['_id']}").body == {"deleted": 1}
    assert lab.ask("DELETE", f"/acquisitions/{acquisition['_id']}").status == 404
    assert all(f["parent_ref"]["id"] != acquisition["_id"] for f in lab.site.files.rows.values())
    session = lab.session["_id"]
    assert lab.ask("DELETE", "/sessions", [session]).body == {"deleted": 1}
    assert lab.get("/acquisitions") == []
    assert lab.get("/files")["total"] == 0


def test_what_an_analysis_uses_stays(lab: Lab) -> None:
    """Its input file and that file's acquisition cannot be deleted, their session can; the job stays."""
    acquisition, session = lab.acquisition(), lab.session
    nifti = {"type": "acquisition", "id": acquisition["_id"], "name": "T1w.nii.gz"}
    job = {"gear_id": lab.gear("freesurfer-recon-all")["_id"], "inputs": {"anatomical": nifti}}
    lab.ask("POST", f"/sessions/{session['_id']}/analyses?job=true", {"label": "L", "job": job})
    for path in (f"/acquisitions/{acquisition['_id']}", f"/acquisitions/{acquisition['_id']}/files/T1w.nii.gz"):
        refused = lab.ask("DELETE", path)
        assert (refused.status, refused.body["reason"]) == (403, "analysis_conflict")
    assert lab.ask("DELETE", f"/sessions/{session['_id']}").status == 200
    assert lab.get("/analyses") == []
    (left,) = lab.get("/jobs")
    assert left["state"] == "pending"


def test_moving_a_session_to_another_subject(lab: Lab) -> None:
    """Everything below the session follows."""
    other = lab.ask("POST", "/subjects", {"label": "sub-02", "project": lab.project["_id"]}).body["_id"]
    lab.ask("PUT", f"/sessions/{lab.session['_id']}", {"subject": {"_id": other}})
    assert lab.rows(f"/subjects/{other}/sessions") == ["ses-01"]
    assert lab.rows(f"/subjects/{lab.subject['_id']}/sessions") == []
    assert len(lab.get(f"/acquisitions?filter=parents.subject={other}")) == 6
    assert lab.get(f"/files?filter=parents.subject={other}")["total"] == len(lab.site.files)


def test_collections(lab: Lab) -> None:
    """Nodes are expanded when added, adding twice is harmless, unknown ids are skipped."""
    own = lab.ask("POST", "/collections", {"label": "C"}).body["_id"]
    nodes = [{"_id": lab.session["_id"], "level": "session"}, {"_id": "f" * 24, "level": "acquisition"}]
    for _ in range(2):
        lab.ask("PUT", f"/collections/{own}", {"contents": {"operation": "add", "nodes": nodes}})
    assert len(lab.get(f"/collections/{own}/acquisitions")) == 6
    assert len(lab.get(f"/acquisitions?collection_id={own}")) == 6
    assert lab.rows(f"/collections/{own}/sessions") == ["ses-01"]
    gone = [{"_id": lab.acquisition()["_id"], "level": "acquisition"}]
    lab.ask("PUT", f"/collections/{own}", {"contents": {"operation": "remove", "nodes": gone}})
    assert "T1w" not in lab.rows(f"/collections/{own}/acquisitions?session={lab.session['_id']}")
    lab.ask("DELETE", f"/collections/{own}")
    assert lab.acquisition("inplaneT2")["collections"] == []
