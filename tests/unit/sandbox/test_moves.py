"""What moves `modified` and `revision`: the contract's table, write by write."""

from collections.abc import Callable
from typing import Any

import pytest

from flyball.sandbox.api.call import Part
from unit.sandbox.lab import Lab

Watch = dict[str, tuple[Any, int]]


def watch(lab: Lab) -> Watch:
    """`modified` and `revision` of everything on the way from the project to a file."""
    acquisition = lab.acquisition()
    docs = {
        "project": lab.project,
        "subject": lab.subject,
        "session": lab.session,
        "acquisition": acquisition,
        "file": acquisition["files"][0],
    }
    return {name: (doc["modified"], doc["revision"]) for name, doc in docs.items()}


def moved_by(lab: Lab, act: Callable[[], Any]) -> set[str]:
    """What an act moves; where `modified` moves `revision` does too."""
    before = watch(lab)
    lab.later(60)
    reply = act()
    assert reply.status == 200, reply
    after = watch(lab)
    moved = {name for name in before if before[name][0] != after[name][0]}
    assert moved == {name for name in before if before[name][1] != after[name][1]}
    return moved


@pytest.mark.parametrize(
    ("method", "path", "body", "moved"),
    [
        ("PUT", "/sessions/{session}", {"label": "ses-01"}, {"session", "subject"}),
        ("PUT", "/acquisitions/{acquisition}", {"label": "T1w"}, {"acquisition"}),
        ("PUT", "/subjects/{subject}", {"sex": "female"}, {"subject"}),
        ("PUT", "/projects/{project}", {"description": "x"}, {"project"}),
        ("PATCH", "/sessions/{session}/info", {"set": {"a": 1}}, {"session"}),
        ("POST", "/sessions/{session}/tags", {"value": "A"}, {"session"}),
        ("DELETE", "/sessions/{session}/tags/absent", None, {"session"}),
        ("POST", "/acquisitions/{acquisition}/notes", {"text": "x"}, {"acquisition"}),
        ("PUT", "/acquisitions/{acquisition}/files/{name}", {"type": "archive"}, {"acquisition"}),
        ("DELETE", "/acquisitions/{acquisition}/files/absent", None, {"acquisition"}),
        ("PATCH", "/acquisitions/{acquisition}/files/{name}/info", {"set": {"a": 1}}, {"file"}),
        ("PATCH", "/files/{file}/tags", ["A"], {"file"}),
        ("POST", "/acquisitions", {"label": "new", "session": "{session}"}, set()),
        ("POST", "/sessions/{session}/analyses", {"label": "adhoc", "inputs": []}, set()),
    ],
)
def test_writes_move_what_the_contract_says(lab: Lab, method: str, path: str, body: Any, moved: set[str]) -> None:
    """A write moves its own container; a session's PUT its subject too; file info the file alone."""
    acquisition = lab.acquisition()
    names = {
        "project": lab.project["_id"],
        "subject": lab.subject["_id"],
        "session": lab.session["_id"],
        "acquisition": acquisition["_id"],
        "file": acquisition["files"][0]["file_id"],
        "name": acquisition["files"][0]["name"],
    }
    if isinstance(body, dict):
        body = {key: value.format(**names) if value == "{session}" else value for key, value in body.items()}
    assert moved_by(lab, lambda: lab.ask(method, path.format(**names), body)) == moved


def test_uploads_move_the_file_only(lab: Lab) -> None:
    """A new file moves nothing, a new version only itself."""
    path = f"/acquisitions/{lab.acquisition()['_id']}/files"

    def upload(name: str) -> Any:
        return lab.ask("POST", path, parts=[Part("file", name, "text/plain", b"hello")])

    assert moved_by(lab, lambda: upload("new.txt")) == set()
    assert moved_by(lab, lambda: upload(lab.acquisition()["files"][0]["name"])) == {"file"}


def test_a_deleted_file_moves_its_container(lab: Lab) -> None:
    """The container moves, and the file is gone from lists and from `/files`."""
    acquisition = lab.acquisition()
    gone = acquisition["files"][0]
    before = acquisition["revision"]
    assert lab.ask("DELETE", f"/acquisitions/{acquisition['_id']}/files/{gone['name']}").status == 200
    assert acquisition["revision"] == before + 1
    assert lab.ask("GET", f"/files/{gone['file_id']}").status == 404


def test_jobs_and_collections_move_nothing(lab: Lab) -> None:
    """Neither a job on an acquisition nor membership in a collection moves the containers."""
    acquisition = lab.acquisition()
    nifti = {"type": "acquisition", "id": acquisition["_id"], "name": "T1w.nii.gz"}
    body = {"gear_id": lab.gear("mriqc")["_id"], "inputs": {"nifti": nifti}}
    assert moved_by(lab, lambda: lab.ask("POST", "/jobs/add", body)) == set()
    collection = lab.ask("POST", "/collections", {"label": "C"}).body["_id"]
    nodes = [{"_id": acquisition["_id"], "level": "acquisition"}]
    contents = {"contents": {"operation": "add", "nodes": nodes}}
    assert moved_by(lab, lambda: lab.ask("PUT", f"/collections/{collection}", contents)) == set()
