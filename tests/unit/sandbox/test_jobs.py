"""The life of jobs: time, heartbeats, endings, retries, cancelling, and who may see them."""

from typing import Any

import pytest

from flyball.sandbox import jobs
from unit.sandbox.lab import Lab, MakeLab


def start(
    lab: Lab, gear: str = "freesurfer-recon-all", tags: tuple[str, ...] = ("KEY",), **more: Any
) -> dict[str, Any]:
    """Launch a gear on the session and give the stored job."""
    nifti = {"type": "acquisition", "id": lab.acquisition()["_id"], "name": "T1w.nii.gz"}
    slot = "anatomical" if gear == "freesurfer-recon-all" else "nifti"
    job = {"gear_id": lab.gear(gear)["_id"], "inputs": {slot: nifti}, "tags": list(tags)}
    if gear == "freesurfer-recon-all":
        body = {"label": "L", "job": job}
        own = lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", body, **more).body["_id"]
        return lab.site.jobs.rows[lab.site.analyses.rows[own]["job"]]
    return lab.site.jobs.rows[lab.ask("POST", "/jobs/add", job, **more).body["_id"]]


def test_a_job_runs_to_its_end(lab: Lab) -> None:
    """Pending, scheduled, running, complete; each change has its time, and heartbeats move modified."""
    job = start(lab)
    assert job["state"] == "pending"
    lab.later(1)
    assert job["state"] == "scheduled"
    lab.later(0.5)
    assert job["state"] == "running"
    first = job["modified"]
    lab.later(2.5)
    assert job["state"] == "running"
    assert job["modified"] > first
    lab.later(3)
    assert job["state"] == "complete"
    times = [job["transitions"][s] for s in ("pending", "scheduled", "running", "complete")]
    assert times == sorted(times)
    assert job["modified"] == times[-1]
    assert job["profile"]["elapsed_time_ms"] == 5000
    analysis = lab.site.analyses.rows[job["destination"]["id"]]
    (output,) = analysis["files"]
    assert output["origin"] == {"type": "job", "id": job["_id"]}
    path = f"/analyses/{analysis['_id']}/files/{output['name']}"
    members = [m["path"] for m in lab.get(f"{path}?info=true")["members"]]
    stats = next(m for m in members if m.endswith("aseg.stats"))
    assert b"BrainSeg" in (lab.ask("GET", f"{path}?member={stats}").raw or b"")
    assert lab.ask("GET", f"{path}?member=nope").status == 400


def test_old_sites_know_no_scheduled(old_lab: Lab) -> None:
    """On a 2019 site a job goes from pending to running."""
    job = start(old_lab)
    assert job["transitions"] == {}
    old_lab.later(1.1)
    assert job["state"] == "running"


def test_mriqc_leaves_its_report(lab: Lab) -> None:
    """A completed mriqc job puts the metrics in the info of its report."""
    acquisition = lab.acquisition()
    lab.ask("DELETE", f"/acquisitions/{acquisition['_id']}/files/T1w_mriqc.qa.html")
    start(lab, "mriqc")
    lab.later(10)
    report = acquisition["files"][-1]
    assert report["name"] == "T1w_mriqc.qa.html"
    assert report["type"] == "qa"
    assert report["classification"]["Measurement"] == ["T1"]


def test_failures_are_repeatable(make_lab: MakeLab) -> None:
    """The same launch fails or not whatever else is asked before; failing says why."""
    outcomes = []
    for extra in (0, 3):
        lab = make_lab(jobs={"fail_rate": 0.5})
        for _ in range(extra):
            start(lab, "mriqc")
        job = start(lab)
        lab.later(20)
        outcomes.append((job["state"], job.get("failure_reason")))
    assert outcomes[0] == outcomes[1]
    lab = make_lab(jobs={"fail_rate": 1})
    job = start(lab)
    lab.later(20)
    assert job["state"] == "failed"
    assert lab.get(f"/jobs/{job['_id']}/logs")["logs"][-1]["msg"].strip() == job["failure_reason"]


def test_a_retry_is_a_new_job_with_the_same_tags(make_lab: MakeLab) -> None:
    """Attempt counts up, the analysis points to the new job and moves, the old one does not."""
    lab = make_lab(jobs={"fail_rate": 1})
    job = start(lab)
    own = job["_id"]
    assert lab.ask("POST", f"/jobs/{own}/retry").status == 400
    lab.later(20)
    analysis = lab.site.analyses.rows[job["destination"]["id"]]
    before, moved = job["modified"], analysis["modified"]
    lab.later(5)
    new = lab.site.jobs.rows[lab.ask("POST", f"/jobs/{own}/retry").body["_id"]]
    assert (new["previous_job_id"], new["attempt"], new["tags"]) == (own, 2, job["tags"])
    assert job["retried"]
    assert job["modified"] == before
    assert analysis["modified"] > moved
    assert lab.get(f"/analyses/{analysis['_id']}")["job"] == new["_id"]
    assert len(lab.get("/jobs?filter=tags=KEY")) == 2
    assert len(lab.get(f'/jobs?filter=destination.id="{analysis["_id"]}"')) == 2
    assert lab.get(f"/jobs?filter=destination.id={analysis['_id']}") == []
    assert lab.ask("POST", f"/jobs/{own}/retry").status == 500


def test_the_sites_own_retries(make_lab: MakeLab) -> None:
    """A site may repeat failed jobs by itself, up to its maximum."""
    lab = make_lab(jobs={"fail_rate": 1, "auto_retries": 2})
    start(lab)
    lab.later(60)
    assert [j["attempt"] for j in lab.get("/jobs?filter=tags=KEY")] == [1, 2, 3]


def test_the_orphan_sweep_changes_only_the_state(lab: Lab) -> None:
    """Neither modified nor a transition, and the work starts anew."""
    job = start(lab)
    lab.later(2)
    before = job["modified"]
    jobs.orphan(lab.site, job)
    assert (job["state"], job["modified"], "failed" in job["transitions"]) == ("failed", before, False)
    again = next(j for j in lab.site.jobs.rows.values() if j["previous_job_id"] == job["_id"])
    assert again["state"] == "pending"


def test_silent_jobs_are_swept(make_lab: MakeLab) -> None:
    """With an orphan rate jobs go silent and are swept after the time set."""
    lab = make_lab(jobs={"orphan_rate": 1, "orphan_after_s": 30})
    job = start(lab)
    lab.later(30)
    assert job["state"] == "running"
    lab.later(10)
    assert job["state"] == "failed"


def test_cancelling(lab: Lab) -> None:
    """Own jobs, once; nothing else can be changed; a cancelled job stays so."""
    job = start(lab)
    path = f"/jobs/{job['_id']}"
    assert lab.ask("PUT", path, {"state": "cancelled"}, user="op@example.org").status == 403
    assert lab.ask("PUT", path, {"state": "complete"}).status == 403
    assert lab.ask("PUT", path, {"state": "cancelled"}).body == {"modified": 1}
    refused = lab.ask("PUT", path, {"state": "cancelled"})
    assert (refused.status, refused.body["message"]) == (400, "Cannot mutate a job that is cancelled.")
    lab.later(30)
    assert job["state"] == "cancelled"
    assert lab.ask("POST", f"{path}/retry").status == 400
    assert lab.ask("POST", f"{path}/retry?ignoreState=true").status == 200


def test_forms_of_jobs(lab: Lab, old_lab: Lab) -> None:
    """Lists have `_id` and inputs as a list, single answers `id` and a map; session jobs by dialect."""
    for one, maps in ((lab, False), (old_lab, True)):
        job = start(one)
        (row,) = one.get("/jobs?filter=tags=KEY")
        assert row["_id"] == job["_id"]
        assert row["inputs"][0]["input"] == "anatomical"
        single = one.get(f"/jobs/{job['_id']}")
        assert single["id"] == job["_id"]
        assert single["inputs"]["anatomical"]["type"] == "acquisition"
        (in_session,) = one.get(f"/sessions/{one.session['_id']}/jobs")["jobs"]
        assert ("id" in in_session) is maps
        detail = one.get(f"/jobs/{job['_id']}/detail")
        assert detail["parent_info"]["session"]["label"] == "ses-01"
        assert detail["inputs"]["anatomical"]["object"]["name"] == "T1w.nii.gz"
        assert one.get(f"/jobs/{job['_id']}/config.json")["config"]["n_cpus"] == 4


def test_lists_of_jobs(make_lab: MakeLab) -> None:
    """By project, by session with states and tags, own ones with counts, by filter."""
    lab = make_lab(users={"user": {"email": "op@example.org", "projects": {"scien/tome": "rw"}}})
    start(lab, tags=("A",), user="op@example.org")
    start(lab, "mriqc", tags=("B",))
    project, session = lab.project["_id"], lab.session["_id"]
    assert len(lab.get(f"/projects/{project}/jobs", user="op@example.org")) == 2
    assert len(lab.get(f"/projects/{project}/jobs?filter=gear_info.name=mriqc")) == 1
    assert len(lab.get(f"/sessions/{session}/jobs?tags=A&tags=B")["jobs"]) == 2
    assert len(lab.get(f"/sessions/{session}/jobs?tags=A&states=pending&states=failed")["jobs"]) == 1
    assert lab.get(f"/sessions/{session}/jobs?states=failed")["jobs"] == []
    own = lab.get("/users/self/jobs?gear=freesurfer-recon-all", user="op@example.org")
    assert (own["total"], len(own["jobs"]), own["stats"]["pending"]) == (1, 1, 1)
    assert len(lab.get("/jobs?filter=state=|[pending,running],parents.project=" + project)) == 2
    assert lab.get("/jobs/stats")["states"]["pending"] == 2


def test_sites_without_jobs_of_a_project(make_lab: MakeLab) -> None:
    """Where the address does not exist it is a 404."""
    lab = make_lab(switches={"project_jobs": False})
    assert lab.ask("GET", f"/projects/{lab.project['_id']}/jobs").status == 404


def test_who_sees_jobs(old_lab: Lab) -> None:
    """On a 2019 site the list and plain GETs are for admins, details and logs for members."""
    job = start(old_lab)
    other = "op@example.org"
    for path in ("/jobs", f"/jobs/{job['_id']}", f"/jobs/{job['_id']}/config.json", "/jobs/stats"):
        assert old_lab.ask("GET", path, user=other).status == 403
    for path in (f"/jobs/{job['_id']}/detail", f"/jobs/{job['_id']}/logs", "/users/self/jobs"):
        assert old_lab.ask("GET", path, user=other).status == 200


@pytest.mark.parametrize(("own", "status"), [("f" * 24, 404), ("zzz", 500)])
def test_absent_jobs(lab: Lab, own: str, status: int) -> None:
    """Unknown ids are 404, malformed ones a 500 (live19)."""
    assert lab.ask("GET", f"/jobs/{own}").status == status


def test_priorities(lab: Lab) -> None:
    """Waiting jobs can be moved up."""
    job = start(lab)
    assert lab.ask("PUT", "/jobs/priority", {"job_ids": [job["_id"]], "priority": "high"}).status == 200
    assert job["priority"] == "high"
    assert lab.ask("PUT", "/jobs/priority", {"job_ids": [], "priority": "soon"}).status == 400


def test_pace_settings_are_checked() -> None:
    """An unknown setting is named."""
    with pytest.raises(ValueError, match="speed"):
        jobs.Pace.read({"speed": 1})
