"""Batches: what matches, proposing without starting, running, cancelling, permissions."""

import pytest

from flyball.sandbox.files import put_file
from flyball.sandbox.tables import Doc
from unit.sandbox.lab import Lab, MakeLab


def propose(lab: Lab, gear: str, *targets: tuple[str, str], **more: object) -> Doc:
    """A proposal."""
    refs = [{"type": level, "id": own} for level, own in targets]
    body = {"gear_id": lab.gear(gear)["_id"], "targets": refs, **more}
    reply = lab.ask("POST", "/batch", body)
    assert reply.status == 200, reply
    proposal: Doc = reply.body
    return proposal


def test_a_utility_gear_over_a_session(lab: Lab) -> None:
    """Each acquisition of the session is a target; nothing runs before it is told to."""
    put_file(lab.site, "acquisition", lab.acquisition("inplaneT2"), "second.nii.gz")
    bare = lab.site.add_acquisition(lab.session["_id"], "bare")
    proposal = propose(lab, "mriqc", ("session", lab.session["_id"]), tags=["BT"])
    assert proposal["state"] == "pending"
    assert len(proposal["matched"]) == 5
    assert [d["_id"] for d in proposal["ambiguous"]] == [lab.acquisition("inplaneT2")["_id"]]
    assert [d["_id"] for d in proposal["not_matched"]] == [bare["_id"]]
    assert "permissions" not in proposal["matched"][0]
    assert len(lab.site.jobs) == 0
    own = proposal["_id"]
    started = lab.ask("POST", f"/batch/{own}/run").body
    assert len(started) == 5
    assert set(started[0]["tags"]) == {"BT", "batch", "mriqc"}
    assert started[0]["batch"] == own
    assert lab.ask("POST", f"/batch/{own}/run").status == 400
    assert lab.get(f"/batch/{own}")["state"] == "running"
    assert [j["state"] for j in lab.get(f"/batch/{own}?jobs=true")["jobs"]] == ["pending"] * 5
    lab.later(60)
    assert lab.get(f"/batch/{own}")["state"] == "complete"
    assert lab.rows("/batch", "state") == ["complete"]
    assert lab.ask("POST", f"/batch/{own}/cancel").status == 400


def test_an_analysis_gear_without_files(lab: Lab) -> None:
    """Sessions are the targets, and each gets an analysis; what waits can be cancelled."""
    more = {"analysis": {"label": "L"}, "optional_input_policy": "ignored"}
    lab.gear("bids-mriqc")["gear"]["inputs"].pop("bidsignore")
    proposal = propose(lab, "bids-mriqc", ("subject", lab.subject["_id"]), **more)
    assert proposal["matched"] == [{"type": "session", "id": lab.session["_id"]}]
    lab.ask("POST", f"/batch/{proposal['_id']}/run")
    (analysis,) = lab.site.analyses.below(("parent", lab.session["_id"]))
    assert (analysis["label"], analysis["parent"]["type"]) == ("L", "session")
    assert lab.ask("POST", f"/batch/{proposal['_id']}/cancel").body == {"number_cancelled": 1}
    assert lab.get(f"/batch/{proposal['_id']}")["state"] == "cancelled"


@pytest.mark.parametrize(
    ("policy", "kind"), [("ignored", "matched"), ("flexible", "ambiguous"), ("required", "not_matched")]
)
def test_optional_inputs(lab: Lab, policy: str, kind: str) -> None:
    """Ignored, taken when there, or asked for; without a policy the site refuses."""
    lab.site.gears.rows[lab.gear("dcm2niix")["_id"]]["gear"]["inputs"]["rec_file_input"]["type"] = {"enum": ["nifti"]}
    scan = lab.acquisition()
    if kind == "ambiguous":
        put_file(lab.site, "acquisition", scan, "second.nii.gz")
    if kind == "not_matched":
        scan["files"] = [f for f in scan["files"] if f["type"] != "nifti"]
    proposal = propose(lab, "dcm2niix", ("acquisition", scan["_id"]), optional_input_policy=policy)
    assert len(proposal[kind]) == 1
    body = {"gear_id": lab.gear("dcm2niix")["_id"], "targets": [{"type": "acquisition", "id": scan["_id"]}]}
    assert lab.ask("POST", "/batch", body).status == 400


def test_ready_made_jobs(lab: Lab) -> None:
    """Proposed as they are; a wrong one is named by its number."""
    scan = lab.acquisition()
    ref = {"type": "acquisition", "id": scan["_id"], "name": "T1w.nii.gz"}
    job = {"gear_id": lab.gear("mriqc")["_id"], "inputs": {"nifti": ref}}
    proposal = lab.ask("POST", "/batch/jobs", {"jobs": [job]}).body
    assert proposal["proposal"]["preconstructed_jobs"] == [job]
    (started,) = lab.ask("POST", f"/batch/{proposal['_id']}/run").body
    assert started["destination"] == {"type": "acquisition", "id": scan["_id"]}
    wrong = lab.ask("POST", "/batch/jobs", {"jobs": [job, {"gear_id": "f" * 24}]})
    assert (wrong.status, wrong.body["message"][:6]) == (404, "Job 1:")


def test_permissions_and_refusals(make_lab: MakeLab) -> None:
    """Own batches only; targets of one kind; write access; absent ones."""
    lab = make_lab()
    scan = lab.acquisition()
    target = {"type": "acquisition", "id": scan["_id"]}
    body = {"gear_id": lab.gear("mriqc")["_id"], "targets": [target]}
    own = lab.ask("POST", "/batch", body).body["_id"]
    assert lab.ask("GET", f"/batch/{own}", user="op@example.org").status == 403
    assert lab.get("/batch", user="op@example.org") == []
    mixed = {**body, "targets": [target, {"type": "session", "id": lab.session["_id"]}]}
    assert lab.ask("POST", "/batch", mixed).status == 400
    assert lab.ask("POST", "/batch", {"targets": [target]}).status == 400
    assert lab.ask("GET", f"/batch/{'f' * 24}").status == 404
    lab.project["permissions"] = [{"_id": "op@example.org", "access": "ro"}]
    assert lab.ask("POST", "/batch", body, user="op@example.org").status == 403


def test_suggested_inputs(lab: Lab) -> None:
    """The files of a container with the inputs that they fit."""
    scan = lab.acquisition()
    found = lab.get(f"/gears/{lab.gear('mriqc')['_id']}/suggest/acquisitions/{scan['_id']}")
    assert {f["name"]: f["suggested"]["nifti"] for f in found["files"]}["T1w.nii.gz"] is True
    assert found["cont_type"] == "acquisition"
    below = lab.get(f"/gears/{lab.gear('mriqc')['_id']}/suggest/sessions/{lab.session['_id']}")
    assert len(below["children"]["acquisitions"]) == 6
