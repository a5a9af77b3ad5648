"""Gear rules, permissions, bulk requests, nested analyses."""

from flyball.sandbox.tables import Doc
from unit.sandbox.lab import Lab, MakeLab
from unit.sandbox.test_file_routes import upload


def rule(lab: Lab, **more: object) -> Doc:
    """A rule that starts dcm2niix on archives, added by the admin."""
    body = {"gear_id": lab.gear("dcm2niix")["_id"], "name": "convert", "all": [{"type": "file.type", "value": "dicom"}]}
    reply = lab.ask("POST", f"/projects/{lab.project['_id']}/rules", {**body, **more})
    assert reply.status == 200, reply
    made: Doc = reply.body
    return made


def test_gear_rules_fire_on_files(lab: Lab) -> None:
    """On each upload, also of the same name, and on a change of type; not once they are disabled."""
    own = rule(lab)["_id"]
    path = f"/acquisitions/{lab.acquisition()['_id']}/files"
    for _ in range(2):
        upload(lab, path, "new.dicom.zip", b"x")
    upload(lab, path, "new.txt", b"x")
    started = list(lab.site.jobs.rows.values())
    assert [(j["tags"], j["origin"]) for j in started] == [(["auto", "dcm2niix"], {"type": "system", "id": None})] * 2
    changed = lab.ask("PUT", f"{path}/new.txt", {"type": "dicom"})
    assert changed.body == {"modified": 1, "jobs_spawned": 1}
    assert lab.ask("PUT", f"{path}/new.txt", {"modality": "MR"}).body["jobs_spawned"] == 0
    assert lab.ask("PUT", f"/projects/{lab.project['_id']}/rules/{own}", {"disabled": True}).body["disabled"] is True
    upload(lab, path, "more.dicom.zip", b"x")
    assert len(lab.site.jobs) == 3


def test_conditions_of_gear_rules(lab: Lab) -> None:
    """All, any, none; patterns; classification; what is met by nothing fires on nothing."""
    rule(
        lab,
        all=[{"type": "file.name", "value": r".*\.dicom\.zip$", "regex": True}],
        any=[{"type": "file.classification", "value": "t1"}, {"type": "file.tags", "value": "GO"}],
        **{"not": [{"type": "file.modality", "value": "CT"}]},
    )
    path = f"/acquisitions/{lab.acquisition()['_id']}/files"
    upload(lab, path, "a.dicom.zip", b"x")
    upload(lab, path, "b.dicom.zip", b"x", tags=["GO"], modality="CT")
    assert len(lab.site.jobs) == 0
    upload(lab, path, "c.dicom.zip", b"x", tags=["GO"])
    upload(lab, path, "d.dicom.zip", b"x", modality="MR", classification={"Measurement": ["T1"]})
    assert len(lab.site.jobs) == 2


def test_gear_rules_are_for_administrators(lab: Lab) -> None:
    """Listed, fetched, deleted; refused fields and users; rules of the site."""
    project = f"/projects/{lab.project['_id']}/rules"
    own = rule(lab)["_id"]
    assert lab.rows(project, "name") == ["convert"]
    assert lab.get(f"{project}/{own}")["_id"] == own
    lab.project["permissions"] = [{"_id": "op@example.org", "access": "rw"}]
    assert lab.ask("DELETE", f"{project}/{own}", user="op@example.org").status == 403
    assert lab.ask("POST", project, {"name": "x"}).status == 400
    gear = lab.gear("dcm2niix")["_id"]
    assert lab.ask("POST", project, {"name": "x", "gear_id": gear, "colour": 1}).status == 400
    assert lab.ask("POST", project, {"name": "x", "gear_id": gear, "all": [{"type": "moon"}]}).status == 400
    assert lab.ask("DELETE", f"{project}/{own}").status == 200
    assert lab.ask("GET", f"{project}/{own}").status == 404
    assert lab.get("/site/rules") == []
    assert lab.ask("POST", "/site/rules", {"name": "x", "gear_id": gear}, user="op@example.org").status == 403


def test_permissions_of_projects(make_lab: MakeLab) -> None:
    """By roles on a recent site, by access on an old one; given, changed, taken away, with effect at once."""
    lab, user = make_lab(), "op@example.org"
    secret = next(p for p in lab.site.projects.rows.values() if p["label"] == "secret")
    path = f"/projects/{secret['_id']}"
    assert lab.ask("GET", path, user=user).status == 404
    reader = lab.get("/roles")[-1]["_id"]
    assert lab.ask("POST", f"{path}/permissions", {"_id": user, "role_ids": [reader]}).body["role_ids"] == [reader]
    assert lab.ask("POST", f"{path}/permissions", {"_id": user, "role_ids": [reader]}).status == 409
    assert lab.ask("GET", path, user=user).status == 200
    assert lab.ask("PUT", path, {"description": "x"}, user=user).status == 403
    assert lab.ask("PUT", f"{path}/permissions/{user}", {"access": "admin"}, user=user).status == 403
    assert lab.ask("PUT", f"{path}/permissions/{user}", {"access": "rw"}).status == 200
    assert lab.ask("PUT", path, {"description": "x"}, user=user).status == 200
    assert lab.get(f"{path}/permissions/{user}", user=user)["_id"] == user
    assert lab.ask("DELETE", f"{path}/permissions/{user}").body == {"modified": 1}
    assert lab.ask("GET", path, user=user).status == 404
    assert lab.ask("POST", f"{path}/permissions", {"_id": "nobody@example.org", "access": "ro"}).status == 402
    assert lab.ask("POST", f"{path}/permissions", {"_id": user, "access": "all"}).status == 400
    old = make_lab("live19")
    project = old.project["_id"]
    assert old.get(f"/projects/{project}/permissions/admin@example.org")["access"] == "admin"


def test_moving_sessions(lab: Lab) -> None:
    """To a subject or a project; conflicts are told, skipped or moved all the same."""
    other = lab.site.add_subject(lab.project["_id"], "other")
    taken = lab.site.add_session(other["_id"], "ses-01")
    session = lab.session
    body = {"destination_container_type": "subjects", "sources": [session["_id"]], "destinations": [other["_id"]]}
    dry = lab.ask("POST", "/bulk/move/sessions", {**body, "conflict_mode": "dry"}).body
    assert [c["conflict_with"]["id"] for c in dry] == [taken["_id"]]
    lab.ask("POST", "/bulk/move/sessions", {**body, "conflict_mode": "skip"})
    assert session["parents"]["subject"] != other["_id"]
    lab.ask("POST", "/bulk/move/sessions", {**body, "conflict_mode": "move"})
    assert session["parents"]["subject"] == other["_id"]
    secret = next(p for p in lab.site.projects.rows.values() if p["label"] == "secret")
    away = {"destination_container_type": "projects", "sources": [session["_id"]], "destinations": [secret["_id"]]}
    assert lab.ask("POST", "/bulk/move/sessions", away).body == []
    assert lab.rows(f"/projects/{secret['_id']}/subjects") == ["hid", "other"]
    assert len(lab.rows(f"/projects/{secret['_id']}/acquisitions")) == 6
    assert lab.ask("POST", "/bulk/move/sessions", {**away, "sources": []}).status == 400


def test_bulk_checks_and_deletions(lab: Lab) -> None:
    """Known uids, files and analyses by lists of ids, and what the site has none of."""
    lab.session["uid"] = "1.2.3"
    assert lab.ask("POST", "/uids", {"sessions": ["1.2.3", "4.5.6"]}).body == {"sessions": ["1.2.3"]}
    ids = [f["file_id"] for f in lab.acquisition()["files"]]
    assert lab.ask("DELETE", "/files", ids).body == {"deleted": len(ids)}
    assert lab.acquisition()["files"] == []
    analysis = lab.site.add_analysis("session", lab.session["_id"], "a")
    assert lab.ask("DELETE", "/analyses", [analysis["_id"]]).body == {"deleted": 1}
    assert lab.get("/tasks/reader?limit=5") == {"count": 0, "total": 0, "results": []}
    assert lab.rows("/users/self/projects", "label") == ["tome", "secret"]
    assert lab.rows("/users/op@example.org/groups", "_id") == ["scien"]
    assert [m["_id"] for m in lab.get("/modalities")] == ["MR"]


def test_analyses_below_their_container(lab: Lab) -> None:
    """The nested addresses are those of the analysis; a wrong container has no such analysis."""
    ref = {"type": "acquisition", "id": lab.acquisition()["_id"], "name": "T1w.nii.gz"}
    path = f"/sessions/{lab.session['_id']}/analyses"
    own = lab.ask("POST", path, {"label": "a", "inputs": [ref]}).body["_id"]
    assert lab.get(f"{path}/{own}")["label"] == "a"
    assert lab.ask("PUT", f"{path}/{own}", {"label": "b"}).body == {"modified": 1}
    assert lab.ask("POST", f"{path}/{own}/notes", {"text": "n"}).status == 200
    (stored,) = [upload(lab, f"{path}/{own}/files", "out.txt", b"x")]
    assert stored["name"] == "out.txt"
    assert lab.ask("GET", f"{path}/{own}/files/out.txt").raw == b"x"
    assert lab.get(f"/analyses/{own}/input_files/T1w.nii.gz/info")["name"] == "T1w.nii.gz"
    assert lab.ask("GET", f"/subjects/{lab.subject['_id']}/analyses/{own}").status == 404
    assert lab.ask("GET", f"{path}/{'f' * 24}").status == 404
