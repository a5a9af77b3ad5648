"""Launching: what is checked, what is not, and what is stored."""

from typing import Any

import pytest

from unit.sandbox.lab import Lab, MakeLab


def request(lab: Lab, **job: Any) -> dict[str, Any]:
    """A launch of recon-all on the T1."""
    nifti = {"type": "acquisition", "id": lab.acquisition()["_id"], "name": "T1w.nii.gz"}
    values = {"gear_id": lab.gear("freesurfer-recon-all")["_id"], "inputs": {"anatomical": nifti}, **job}
    return {"label": "FS", "job": values}


def launch(lab: Lab, body: dict[str, Any]) -> Any:
    """Send it to the subject."""
    return lab.ask("POST", f"/subjects/{lab.subject['_id']}/analyses?job=true", body)


def test_an_analysis_and_its_job(lab: Lab) -> None:
    """The job has the tags asked for and the server's, defaults are filled in, inputs are copies."""
    body = {**request(lab, tags=["KEY", "my/tag", "KEY"], config={"n_cpus": 8}), "info": {"k": 1}}
    own = launch(lab, body).body["_id"]
    analysis = lab.get(f"/analyses/{own}?inflate_job=true")
    job = analysis["job"]
    assert job["tags"] == ["KEY", "analysis", "freesurfer-recon-all", "my/tag"]
    assert job["config"]["config"]["n_cpus"] == 8
    assert job["config"]["config"]["reconall_options"] == "-all -qcache"
    assert job["destination"] == {"type": "analysis", "id": own}
    assert job["parents"]["analysis"] == own
    assert job["inputs"]["anatomical"]["name"] == "T1w.nii.gz"
    assert analysis["info"] == {"k": 1}
    assert analysis["gear_info"]["version"] == "1.2.0_7.2.0"
    assert analysis["inputs"][0]["name"] == "T1w.nii.gz"
    assert job["origin"] == {"type": "user", "id": "admin@example.org"}


def test_the_same_launch_twice_makes_two(lab: Lab) -> None:
    """There is no idempotency."""
    assert launch(lab, request(lab, tags=["KEY"])).body != launch(lab, request(lab, tags=["KEY"])).body
    assert len(lab.get("/jobs?filter=tags=KEY")) == 2


@pytest.mark.parametrize(
    ("job", "status"),
    [
        ({"inputs": {"bogus": {"type": "acquisition", "id": "x", "name": "y"}}}, 400),
        ({"inputs": {"anatomical": {"type": "acquisition", "id": "f" * 24, "name": "y"}}}, 404),
        ({"gear_id": "f" * 24}, 404),
        ({"gear_id": "nope"}, 500),
        ({"config": {"n_cpus": "four"}}, 422),
        ({"config": {"n_cpus": True}}, 422),
        ({"config": {"n_cpus": 0}}, 422),
        ({"config": {"n_cpus": 65}}, 422),
        ({"tags": [5]}, 400),
        ({"bogus": 1}, 400),
        ({"inputs": {}}, 200),
        ({"config": {"nosuch": 1}}, 200),
        ({"destination": {"type": "session", "id": "x"}}, 200),
    ],
)
def test_what_the_server_checks(lab: Lab, job: dict[str, Any], status: int) -> None:
    """Exactly the contract's checks; an error leaves no analysis behind."""
    assert launch(lab, request(lab, **job)).status == status
    assert len(lab.get("/analyses")) == (status == 200)


def test_an_absent_file_is_named(lab: Lab) -> None:
    """404, and the message says which."""
    ref = {"type": "acquisition", "id": lab.acquisition()["_id"], "name": "nope.nii.gz"}
    refused = launch(lab, request(lab, inputs={"anatomical": ref}))
    assert refused.status == 404
    assert "nope.nii.gz" in refused.body["message"]


@pytest.mark.parametrize(
    "body",
    [{"label": ""}, {"label": "x" * 257}, {"tags": ["a"]}, {"label": None}],
    ids=["empty", "long", "tags", "null"],
)
def test_bad_analyses(lab: Lab, body: dict[str, Any]) -> None:
    """Labels have 1 to 256 characters; tags on the analysis are refused."""
    assert launch(lab, {**request(lab), **body}).status == 400


def test_old_sites_refuse_the_new_fields(old_lab: Lab) -> None:
    """`info` and `job.priority` are 400 on a 2019 site."""
    assert launch(old_lab, {**request(old_lab), "info": {"a": 1}}).status == 400
    assert launch(old_lab, request(old_lab, priority="medium")).status == 400
    assert launch(old_lab, request(old_lab)).status == 200


def test_without_compute_nothing_runs(make_lab: MakeLab) -> None:
    """412, and no analysis is left behind."""
    lab = make_lab(jobs={"compute": False})
    assert launch(lab, request(lab)).status == 412
    assert lab.get("/analyses") == []


def test_utility_jobs(lab: Lab) -> None:
    """Without a destination the job goes where its input lies; an analysis is no destination."""
    acquisition = lab.acquisition()["_id"]
    nifti = {"type": "acquisition", "id": acquisition, "name": "T1w.nii.gz"}
    body = {"gear_id": lab.gear("mriqc")["_id"], "inputs": {"nifti": nifti}, "tags": ["U"]}
    own = lab.ask("POST", "/jobs/add", body).body["_id"]
    job = lab.get(f"/jobs/{own}")
    assert job["destination"] == {"type": "acquisition", "id": acquisition}
    assert job["tags"] == ["U", "mriqc"]
    assert lab.ask("POST", "/jobs/add", {**body, "destination": {"type": "analysis", "id": "x"}}).status == 400
    assert lab.ask("POST", "/jobs/add", {**body, "destination": {"type": "session", "id": "f" * 24}}).status == 404
    assert lab.ask("POST", "/jobs/add", {**body, "inputs": {}}).status == 400
    assert lab.ask("POST", "/jobs/add", {**body, "gear_id": None}).status == 400
    assert lab.ask("POST", "/jobs/add", {**body, "bogus": 1}).status == 200


def test_inputs_may_pin_a_version(lab: Lab) -> None:
    """By file id and version, on a recent site."""
    file = lab.acquisition()["files"][1]
    own = launch(lab, request(lab, inputs={"anatomical": {"file_id": file["file_id"], "version": 1}})).body["_id"]
    assert lab.get(f"/analyses/{own}")["inputs"][0]["_id"] == file["_id"]


def test_gears(lab: Lab, old_lab: Lab) -> None:
    """The newest of each, the last created; all versions when asked; a withdrawn one not at all."""
    names = [g["gear"]["name"] for g in lab.get("/gears")]
    assert sorted(names) == ["bids-mriqc", "dcm2niix", "freesurfer-recon-all", "mriqc"]
    both = lab.get("/gears?filter=gear.name=freesurfer-recon-all&all_versions=true")
    assert len(both) == 2
    found = lab.ask("POST", "/lookup", {"path": ["gears", "freesurfer-recon-all"]}).body
    assert found["gear"]["version"] == "1.2.0_7.2.0"
    older = lab.ask("POST", "/lookup", {"path": ["gears", "freesurfer-recon-all", "1.1.0_6.0.1"]}).body
    assert older["_id"] != found["_id"]
    assert lab.ask("POST", "/lookup", {"path": ["gears", "session-exporter"]}).status == 404
    assert len(lab.get("/gears?include_invalid=true")) == 5
    assert old_lab.ask("GET", "/gears?after_id=" + "0" * 24).status == 500
    assert old_lab.ask("GET", "/gears?skip=2").status == 500
    cursor, seen = "", []
    while page := lab.get(f"/gears?limit=2&after_id={cursor}"):
        seen += [g["_id"] for g in page]
        cursor = seen[-1]
    assert len(seen) == len(set(seen)) == 4
    assert "anatomical" in lab.get(f"/gears/{found['_id']}/invocation")["properties"]["inputs"]["required"]
