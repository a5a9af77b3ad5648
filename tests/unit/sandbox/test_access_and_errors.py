"""Keys, users, permissions, paths, and the bodies of errors."""

from typing import Any

import pytest

from flyball.sandbox.access import authenticate
from flyball.sandbox.errors import Refusal
from flyball.sandbox.world import key_for
from unit.sandbox.lab import Lab, MakeLab

OP = "op@example.org"


def test_schemes_and_keys(lab: Lab, old_lab: Lab) -> None:
    """57-character keys go with Bearer on a recent site; scitran-user always; wrong ones are 401."""
    key, old_key = (key_for(one.scenario, OP) for one in (lab, old_lab))
    assert len(key) == 57
    assert authenticate(lab.site, None) is None
    for header in (f"Bearer {key}", f"scitran-user {key}"):
        user = authenticate(lab.site, header)
        assert user is not None
        assert (user.id, user.admin) == (OP, False)
    for site, header in (
        (lab.site, f"bearer {key}"),
        (lab.site, "Bearer wrong"),
        (lab.site, f"Basic {key}"),
        (old_lab.site, f"Bearer {old_key}"),
    ):
        with pytest.raises(Refusal) as refused:
            authenticate(site, header)
        assert refused.value.status == 401
    assert authenticate(old_lab.site, f"scitran-user {old_key}") is not None


def test_without_a_key(lab: Lab, old_lab: Lab) -> None:
    """A recent site refuses; a 2019 one answers lists with nothing, which proves nothing."""
    assert lab.ask("GET", "/sessions", user=None).status == 401
    assert old_lab.ask("GET", "/sessions", user=None).body == []
    assert old_lab.ask("GET", "/auth/status", user=None).status in {200, 401}
    assert lab.ask("GET", "/config", user=None).status == 200


def test_disabled_users(lab: Lab) -> None:
    """402 (live19)."""
    lab.site.users.rows[OP]["disabled"] = True
    assert lab.ask("GET", "/auth/status", user=OP).status == 402


def test_who_am_i(lab: Lab) -> None:
    """Status and user say whether one is an admin."""
    assert lab.get("/auth/status")["user_is_admin"] is True
    assert lab.get("/auth/status", user=OP)["roles"] == ["public", "user"]
    assert lab.get("/users/self", user=OP)["email"] == OP
    assert lab.get("/users")[0]["_id"] == "admin@example.org"
    assert lab.ask("GET", "/users/nobody").status == 404


@pytest.mark.parametrize(("dialect", "status"), [("v23", 404), ("live19", 403)])
def test_hidden_objects(make_lab: MakeLab, dialect: str, status: int) -> None:
    """Left out of lists, their children an empty list, themselves 403 or 404 by dialect."""
    lab = make_lab(dialect)
    secret = next(p for p in lab.site.projects.rows.values() if p["label"] == "secret")["_id"]
    assert [p["label"] for p in lab.get("/projects", user=OP)] == ["tome"]
    assert [s["label"] for s in lab.get("/subjects", user=OP)] == ["sub-01"]
    assert lab.get(f"/projects/{secret}/subjects", user=OP) == []
    assert lab.ask("GET", f"/projects/{secret}", user=OP).status == status
    assert lab.ask("POST", f"/projects/{secret}/tags", {"value": "x"}, user=OP).status == status
    assert [g["_id"] for g in lab.get("/groups", user=OP)] == ["scien"]


def test_readers_do_not_write(make_lab: MakeLab) -> None:
    """With `ro` everything can be read and nothing changed or launched."""
    lab = make_lab(users={"user": {"email": OP, "projects": {"scien/tome": "ro"}}})
    path = f"/sessions/{lab.session['_id']}"
    assert lab.ask("GET", path, user=OP).status == 200
    gear = {"gear_id": lab.gear("bids-mriqc")["_id"], "inputs": {}}
    for method, address, body in (
        ("POST", f"{path}/tags", {"value": "x"}),
        ("PUT", path, {"label": "x"}),
        ("DELETE", path, None),
        ("POST", f"{path}/analyses", {"label": "x", "job": gear}),
        ("POST", "/jobs/add", {**gear, "destination": {"type": "session", "id": lab.session["_id"]}}),
    ):
        assert lab.ask(method, address, body, user=OP).status == 403
    assert lab.session["label"] == "ses-01"


def test_error_bodies(lab: Lab) -> None:
    """message, status_code and request_id; unknown methods have their own form; details a list."""
    refused = lab.ask("GET", "/sessions/" + "f" * 24)
    assert refused.status == 404
    assert refused.body["message"] == "Could not find sessions " + "f" * 24
    assert refused.body["status_code"] == 404
    assert refused.body["request_id"]
    assert lab.ask("GET", "/nosuch").body["message"] == "The resource could not be found."
    assert lab.ask("PATCH", "/sessions").body["code"] == "501 Not Implemented"
    assert lab.ask("GET", "/containers/" + "f" * 24).status == 404
    assert "detail" in lab.ask("GET", "/sessions?limit=x").body
    assert "message" not in lab.ask("GET", "/sessions?limit=x").body


def test_containers_by_id_alone(lab: Lab) -> None:
    """Any level, with its type."""
    for level, own in (("session", lab.session["_id"]), ("group", "scien"), ("project", lab.project["_id"])):
        assert lab.get(f"/containers/{own}")["container_type"] == level


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (["scien"], "group"),
        (["scien", "tome"], "project"),
        (["scien", "tome", "sub-01", "ses-01"], "session"),
        (["scien", "tome", "sub-01", "ses-01", "T1w"], "acquisition"),
        (["scien", "tome", "sub-01", "ses-01", "T1w", "files", "T1w.nii.gz"], "file"),
        (["gears", "mriqc"], "gear"),
    ],
)
def test_lookup_and_resolve(lab: Lab, path: list[str], kind: str) -> None:
    """A path of labels leads to the node; resolve also tells the way."""
    found = lab.ask("POST", "/lookup", {"path": path})
    assert found.body["container_type"] == kind
    way = lab.ask("POST", "/resolve", {"path": path}).body["path"]
    assert way[-1]["_id"] == found.body["_id"]


def test_paths_that_lead_nowhere(lab: Lab, old_lab: Lab) -> None:
    """404 with what was not found; ids stand for labels; 2019 sites leave the subject out."""
    assert lab.ask("POST", "/lookup", {"path": ["scien", "nope"]}).body["message"] == "No nope project found."
    bare = lab.ask("POST", "/lookup", {"path": ["scien", "tome", "sub-01", "ses-01", "T1w", "T1w.nii.gz"]})
    assert "Did you mean files/" in bare.body["message"]
    own = f"<id:{lab.session['_id']}>"
    assert lab.ask("POST", "/lookup", {"path": ["scien", "tome", "sub-01", own]}).status == 200
    assert old_lab.ask("POST", "/lookup", {"path": ["scien", "tome", "ses-01"]}).status == 200
    with_subject = {"path": ["scien", "tome", "sub-01", "ses-01"]}
    assert old_lab.ask("POST", "/lookup", with_subject).status == 404
    feature = {"x-accept-feature": "Subject-Container"}
    assert old_lab.ask("POST", "/lookup", with_subject, headers=feature).status == 200


def test_change_logs_are_empty(lab: Lab) -> None:
    """They exist for what exists."""
    log: Any = lab.get(f"/changes/session/{lab.session['_id']}")
    assert log == {"container_type": "session", "container_id": lab.session["_id"], "changes": []}
    assert lab.ask("GET", "/changes/session/" + "f" * 24).status == 404
