"""Files: upload, versions, download, classification, tags."""

import orjson
import pytest

from flyball.sandbox.api.call import Part
from unit.sandbox.lab import Lab


def upload(lab: Lab, path: str, filename: str, content: bytes, **meta: object) -> dict[str, object]:
    """Upload one file and give its record."""
    described = [Part("metadata", None, None, orjson.dumps(meta))] if meta else []
    reply = lab.ask("POST", path, parts=[*described, Part("file", filename, "text/plain", content)])
    assert reply.status == 200
    record: dict[str, object] = reply.body[0]
    return record


def test_a_repeated_upload_is_a_new_version_without_the_old_metadata(lab: Lab) -> None:
    """file_id and created stay, the version counts up, info, tags and classification are gone."""
    path = f"/acquisitions/{lab.acquisition()['_id']}/files"
    first = upload(lab, path, "x.txt", b"one", info={"a": 1}, tags=["T"], modality="MR")
    lab.later(5)
    second = upload(lab, path, "x.txt", b"two")
    assert (second["file_id"], second["created"]) == (first["file_id"], first["created"])
    assert (second["version"], second["info"], second["tags"], second["modality"]) == (2, {}, [], None)
    assert second["replaced"]
    assert second["_id"] != first["_id"]
    assert lab.ask("GET", f"{path}/x.txt").raw == b"two"
    assert lab.ask("GET", f"{path}/x.txt?version=1").raw == b"one"
    assert lab.ask("GET", f"{path}/x.txt?version=9").status == 404
    kept = upload(lab, f"{path}?preserve_metadata=true", "T1w.nii.gz", b"new")
    assert kept["classification"] == {"Intent": ["Structural"], "Measurement": ["T1"]}


def test_names_of_uploads(lab: Lab) -> None:
    """Metadata may rename, paths are cut, no file part is an empty answer."""
    path = f"/sessions/{lab.session['_id']}/files"
    assert upload(lab, path, "a.txt", b"x", name="b.txt")["name"] == "b.txt"
    assert upload(lab, path, "../../etc/c.csv", b"x")["name"] == "c.csv"
    assert lab.ask("POST", path, parts=[]).body == []
    assert (
        lab.ask(
            "POST", path, parts=[Part("metadata", None, None, b'{"bogus": 1}'), Part("file", "d", None, b"")]
        ).status
        == 400
    )


def test_downloads(lab: Lab) -> None:
    """Made-up files have a constant content of their size; ranges need view=true; tickets are given."""
    acquisition = lab.acquisition()
    path = f"/acquisitions/{acquisition['_id']}/files/T1w.nii.gz"
    whole = lab.ask("GET", path).raw
    assert whole is not None
    assert len(whole) == acquisition["files"][1]["size"]
    assert lab.ask("GET", path).raw == whole
    ranged = {"range": "bytes=0-9"}
    assert lab.ask("GET", path, headers=ranged).status == 200
    part = lab.ask("GET", f"{path}?view=true", headers=ranged)
    assert (part.status, part.raw) == (206, whole[:10])
    assert lab.ask("GET", f"{path}?view=true", headers={"range": "bytes=99999-"}).status == 416
    ticket = lab.ask("GET", f"{path}?ticket=").body["ticket"]
    assert lab.ask("GET", f"{path}?ticket={ticket}", user=None).raw == whole
    assert lab.ask("GET", f"{path}?ticket=other", user=None).status == 401
    assert lab.ask("GET", f"/sessions?ticket={ticket}", user=None).status == 401
    assert lab.ask("GET", f"{path}?info=true").status == 400
    assert lab.ask("GET", f"/acquisitions/{acquisition['_id']}/files/absent").status == 404


def test_classification(lab: Lab) -> None:
    """Values that the modality does not know are refused by name; a new modality clears it."""
    path = f"/acquisitions/{lab.acquisition()['_id']}/files/T1w.nii.gz"
    refused = lab.ask("PATCH", f"{path}/classification", {"add": {"Intent": ["Nope"]}})
    assert (refused.status, refused.body["unaccepted_keys"]) == (422, ["Intent:Nope"])
    lab.ask("PATCH", f"{path}/classification", {"add": {"Features": ["SBRef"]}, "delete": {"Intent": ["Structural"]}})
    assert lab.get(f"{path}/info")["classification"] == {"Measurement": ["T1"], "Features": ["SBRef"]}
    assert lab.ask("PUT", path, {"modality": "CT"}).body == {"modified": 1, "jobs_spawned": 0}
    assert lab.get(f"{path}/info")["classification"] == {}


def test_file_tags(lab: Lab) -> None:
    """PATCH adds, PUT sets, DELETE with a body removes, GET lists."""
    path = f"/files/{lab.acquisition()['files'][0]['file_id']}/tags"
    lab.ask("PATCH", path, ["A", "B"])
    lab.ask("PATCH", path, ["B", "C"])
    assert lab.get(path) == ["A", "B", "C"]
    lab.ask("DELETE", path, ["A", "absent"])
    lab.ask("PUT", path, ["C", "C"])
    assert lab.get(path) == ["C"]
    assert lab.get("/files?filter=tags=C")["total"] == 1


def test_moving_a_file(lab: Lab) -> None:
    """A file goes to another container under another name and keeps its id."""
    acquisition = lab.acquisition()
    file_id = acquisition["files"][0]["file_id"]
    reference = {"type": "session", "id": lab.session["_id"]}
    lab.ask("POST", f"/files/{file_id}/move", {"container_reference": reference, "name": "moved.zip"})
    assert lab.session["files"][0]["file_id"] == file_id
    assert lab.get(f"/files/{file_id}")["name"] == "moved.zip"
    assert len(acquisition["files"]) == 2
    assert lab.rows(f"/files?filter=parents.acquisition={acquisition['_id']}", "name") == [
        "T1w.nii.gz",
        "T1w_mriqc.qa.html",
    ]


@pytest.mark.parametrize("path", ["/files/{fid}/info", "/acquisitions/{aid}/files/{name}/info"])
def test_file_info_by_both_ways(lab: Lab, path: str) -> None:
    """By file id and by name."""
    acquisition = lab.acquisition()
    file = acquisition["files"][0]
    address = path.format(fid=file["file_id"], aid=acquisition["_id"], name=file["name"])
    assert lab.ask("PATCH", address, {"set": {"qc": 1}}).body == {"modified": 1, "jobs_spawned": 0}
    assert file["info"]["qc"] == 1


def test_analyses_made_by_jobs_take_no_uploads(lab: Lab) -> None:
    """But ad-hoc ones do."""
    adhoc = lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", {"label": "x", "inputs": []}).body["_id"]
    assert upload(lab, f"/analyses/{adhoc}/files", "r.csv", b"a,b")["type"] == "tabular data"
    body = {"label": "L", "job": {"gear_id": lab.gear("bids-mriqc")["_id"], "inputs": {}}}
    made = lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", body).body["_id"]
    reply = lab.ask("POST", f"/analyses/{made}/files", parts=[Part("file", "x", None, b"")])
    assert reply.status == 400
