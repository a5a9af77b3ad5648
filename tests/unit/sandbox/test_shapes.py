"""What lists show, what only a single GET adds, and what the dialects hide."""

from unit.sandbox.lab import Lab, MakeLab


def test_info_is_hidden_in_lists(lab: Lab) -> None:
    """Lists show `{}` and whether there is more; single GETs and include_all_info show it."""
    lab.session["info"] = {"visit": 1}
    (listed,) = lab.get("/sessions")
    assert (listed["info"], listed["info_exists"]) == ({}, True)
    (whole,) = lab.get("/sessions?include_all_info=true")
    assert whole["info"] == {"visit": 1}
    own = lab.acquisition("task-rest_run-01")["_id"]
    (bare,) = lab.get(f"/acquisitions?filter=_id={own}")
    assert [f["info"] for f in bare["files"]] == [{}, {}, {}]
    (full,) = lab.get(f"/acquisitions?filter=_id={own}&include_all_info=true")
    assert full["files"][2]["info"]["snr"] < 1
    assert lab.get(f"/acquisitions/{own}")["files"][2]["info"]["snr"] < 1


def test_single_containers_carry_their_analyses(lab: Lab) -> None:
    """With the job inflated; never in lists; not with slim-containers; files not with exclude-files."""
    body = {"label": "L", "job": {"gear_id": lab.gear("bids-mriqc")["_id"], "inputs": {}}}
    lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", body)
    path = f"/sessions/{lab.session['_id']}"
    single = lab.get(path)
    assert single["analyses"][0]["job"]["state"] == "pending"
    assert "analyses" not in lab.get("/sessions")[0]
    slim = lab.get(path, headers={"x-accept-feature": "Slim-Containers, exclude-files"})
    assert "analyses" not in slim
    assert "files" not in slim


def test_analyses_show_their_job_as_an_id_unless_inflated(lab: Lab) -> None:
    """In lists and single answers alike."""
    body = {"label": "L", "job": {"gear_id": lab.gear("bids-mriqc")["_id"], "inputs": {}}}
    own = lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", body).body["_id"]
    plain = lab.get(f"/analyses/{own}")
    assert isinstance(plain["job"], str)
    inflated = lab.get(f"/analyses/{own}?inflate_job=true")
    assert (inflated["job"]["id"], inflated["job_id"]) == (plain["job"], plain["job"])
    (row,) = lab.get(f"/sessions/{lab.session['_id']}/analyses?inflate_job=true")
    assert row["job"]["id"] == plain["job"]


def test_what_a_2019_site_hides_in_lists(old_lab: Lab) -> None:
    """Tags read `[]`, ages and sexes are absent, include_all_info means nothing; filters see all."""
    old_lab.ask("POST", f"/sessions/{old_lab.session['_id']}/tags", {"value": "X"})
    old_lab.session["info"] = {"a": 1}
    (row,) = old_lab.get("/sessions?include_all_info=true&filter=tags=X")
    assert (row["tags"], row["info"], "age" in row, "revision" in row) == ([], {}, False, False)
    assert "sex" not in row["subject"]
    single = old_lab.get(f"/sessions/{old_lab.session['_id']}")
    assert (single["tags"], single["info"]) == (["X"], {"a": 1})
    assert "info_exists" not in single
    (subject,) = old_lab.get(f"/projects/{old_lab.project['_id']}/subjects")
    assert "sex" not in subject
    assert old_lab.ask("GET", "/files").status == 404
    assert "file_id" not in old_lab.get("/acquisitions")[0]["files"][0]


def test_switches_mix(make_lab: MakeLab) -> None:
    """A single deviation can be set on either dialect."""
    lab = make_lab("v23", switches={"tags_in_lists": False, "jobs_admin_only": True})
    lab.ask("POST", f"/acquisitions/{lab.acquisition()['_id']}/tags", {"value": "X"})
    assert [row["tags"] for row in lab.get("/acquisitions?filter=tags=X")] == [[]]
    assert lab.get("/config")["features"]["tags_in_lists"] is False
    assert lab.ask("GET", "/jobs", user="op@example.org").status == 403


def test_unset_lists_of_an_analysis_may_be_absent(lab: Lab, old_lab: Lab) -> None:
    """Empty on a recent site, absent on a 2019 one."""
    for one, there in ((lab, True), (old_lab, False)):
        own = one.ask("POST", f"/sessions/{one.session['_id']}/analyses", {"label": "x", "inputs": []}).body["_id"]
        shown = one.get(f"/analyses/{own}")
        assert {name in shown for name in ("files", "notes", "tags", "info")} == {there}


def test_files_endpoint_always_answers_a_page(lab: Lab) -> None:
    """`/files` is paged by file_id, counts, and filters by parents and time."""
    page = lab.get("/files?limit=5")
    assert (page["count"], page["total"]) == (5, len(lab.site.files))
    after = lab.get(f"/files?limit=5&after_id={page['results'][-1]['file_id']}")
    assert after["results"][0]["file_id"] > page["results"][-1]["file_id"]
    own = lab.acquisition()["_id"]
    found = lab.get(f"/files?filter=parents.acquisition={own},name=~mriqc&include_all_info=true")
    assert found["results"][0]["info"]["snr_total"] > 6
    assert found["results"][0]["parent_ref"] == {"type": "acquisition", "id": own}


def test_nested_analyses(lab: Lab) -> None:
    """Of one level below, or of all of them and the container itself."""
    for level, own in (("sessions", lab.session["_id"]), ("subjects", lab.subject["_id"])):
        lab.ask("POST", f"/{level}/{own}/analyses", {"label": level, "inputs": []})
    project = lab.project["_id"]
    assert lab.rows(f"/projects/{project}/sessions/analyses") == ["sessions"]
    assert lab.rows(f"/projects/{project}/all/analyses") == ["sessions", "subjects"]
    assert lab.rows(f"/subjects/{lab.subject['_id']}/analyses") == ["subjects"]
    assert lab.rows(f"/analyses?filter=parent.id={lab.subject['_id']}") == ["subjects"]
