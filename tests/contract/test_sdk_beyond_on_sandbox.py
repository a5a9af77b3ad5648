"""The official SDK on the sandbox, beyond the tutorial: search, views, batches, trees, rules, transfers by signed address."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flywheel
import pytest

from contract.sdk_site import Running, the_scan, the_session
from flyball.sandbox import Scenario


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """The tutorial's site, in a thread."""
    site = Running(Scenario.named("tutorial")).start()
    yield site
    site.stop()


@pytest.fixture
def site(running: Running) -> Running:
    """The same with fresh data."""
    return running.fresh()


@pytest.fixture
def fw(site: Running) -> Any:
    """A client."""
    return site.client()


@pytest.fixture
def project(fw: Any) -> Any:
    """`BIDS-Sample`."""
    return fw.projects.find_one("label=BIDS-Sample")


@pytest.mark.filterwarnings("ignore:The SearchParent.* model has been deprecated")  # the SDK's own
def test_searches_of_all_kinds(fw: Any, project: Any) -> None:
    """Each kind of result has its own fields, and parents; the parser, the status, suggestions, CSV."""
    query = {"structured_query": "project.label = BIDS-Sample AND acquisition.label = T1w"}
    for kind, count in (("file", 12), ("acquisition", 4), ("session", 4), ("subject", 4), ("project", 1)):
        found = fw.search({**query, "return_type": kind})
        assert len(found) == count, kind
        assert all(hit.return_type == kind and hit.project.id == project.id for hit in found)
    file = fw.search({**query, "return_type": "file"}, size=1)[0]
    assert file.parent.id == file.acquisition.id
    assert file.file.created.tzinfo is not None
    analyses = fw.search({"structured_query": "analysis.label LIKE fs*", "return_type": "analysis"})
    assert sorted(hit.analysis.label for hit in analyses) == [
        "fs broken",
        "fs first",
        "fs only",
        "fs second",
        "fs third",
    ]
    assert fw.get_search_status().status == "up-to-date"
    assert fw.parse_search_query({"structured_query": "a And b"}).errors[0].pos == 3
    suggested = fw.get_search_query_suggestions({"structured_query": "subject.la"})
    assert [s.value for s in suggested.suggestions] == ["subject.label"]
    with pytest.raises(flywheel.ApiException) as refused:
        fw.search({"structured_query": "a >> b", "return_type": "file"})
    assert refused.value.status == 422


def test_saved_views_and_executions(fw: Any, project: Any) -> None:
    """Views are kept, found, changed and run; executions are listed and deleted; results become files."""
    view = fw.View(label="ages", columns=["subject.label", ("session.age_years", "age")], include_ids=False)
    own = fw.add_view(project.id, view)
    assert [v.label for v in fw.get_views(project.id)] == ["ages"]
    fw.modify_view(own, {"label": "years"})
    assert fw.get_view(own).label == "years"
    with fw.read_view_data(own, project.id, format="csv", filter="subject.label=sub-13") as data:
        lines = data.read().splitlines()
    assert lines[0].split(",")[:3] == ["project.label", "subject.label", "session.label"]
    assert len(lines) == 2
    grouped = fw.View(columns=[("session.age_years", "age", "float", "mean")], group_by="subject.sex")
    frame = fw.read_view_dataframe(grouped, project.id)
    assert set(frame["subject.sex"]) == {"female", "male"}
    executions = fw.data_view_executions.find("state=completed")
    assert len(executions) == 2
    assert executions[0].data_view_label == "years"
    saved = fw.save_data_view_execution(executions[0].id, file_format="csv")
    assert saved.name == "years.csv"
    fw.delete_view_execution(executions[0].id)
    assert len(fw.data_view_executions()) == 1
    spec = {"view": {"columns": [{"src": "subject.label"}]}, "containerType": "project", "containerId": project.id}
    assert fw.save_view_data_to_container(project.id, {**spec, "filename": "v.csv"}, format="csv").name == "v.csv"
    assert {f.name for f in project.reload().files} == {"participants.tsv", "years.csv", "v.csv"}
    assert any(c.name == "session.age" for c in fw.data_view_columns())
    fw.delete_view(own)
    with pytest.raises(flywheel.ApiException) as refused:
        fw.read_view_data(fw.View(columns=["nothing"]), project.id)
    assert refused.value.status == 400


def test_batches(site: Running, fw: Any) -> None:
    """Proposed over sessions, run, followed, cancelled."""
    session = the_session(fw, "sub-01")
    gear = fw.lookup("gears/mriqc")
    proposal = gear.propose_batch([session], config={}, tags=["t"])
    assert (len(proposal.matched), proposal.ambiguous) == (8, [])
    jobs = proposal.run()
    assert {job.state for job in jobs} == {"pending"}
    assert [b.state for b in fw.get_all_batches()] == ["running"]
    site.later(60)
    batch = fw.get_batch(proposal.id)
    assert (batch.state, sorted(batch.jobs)) == ("complete", sorted(job.id for job in jobs))
    assert {job.state for job in fw.jobs.find(f'batch="{proposal.id}"')} == {"complete"}
    export = fw.lookup("gears/grp13-container-export")
    second = export.propose_batch([session], config={}, analysis_label="L")
    second.run()
    assert fw.cancel_batch(second.id) == 1
    assert "L" in [a.label for a in session.reload().analyses]
    scan = the_scan(fw, "T1w", "sub-01")
    made = fw.create_batch_job_from_jobs(
        {"jobs": [{"gear_id": gear.id, "inputs": {"nifti": scan.get_file("T1w.nii.gz").ref()}}]}
    )
    assert made.state == "pending"
    suggested = fw.get_gear_suggest(gear.id, "acquisitions", scan.id)
    assert any(f.suggested["nifti"] for f in suggested.files)


def test_trees_changes_and_checks(fw: Any, project: Any) -> None:
    """Chosen fields over the hierarchy; change logs; uids; tasks; moves of sessions."""
    spec = {"subjects": {"fields": ["label"], "sessions": {"fields": ["label"], "acquisitions": {"fields": ["label"]}}}}
    tree = fw.fetch_tree(spec, filter=f"project={project.id}")
    assert [len(s["sessions"][0]["acquisitions"]) for s in tree] == [8, 8, 5, 9, 5]
    assert "subjects" in fw.get_tree_graph()["projects"].connections
    session = the_session(fw, "sub-02")
    assert fw.get_change_log("session", session.id).container_id == session.id
    session.update(uid="1.2.3")
    assert fw.check_uids_exist({"sessions": ["1.2.3", "9"]}).sessions == ["1.2.3"]
    target = fw.subjects.find_one("label=sub-01")
    body = {"destination_container_type": "subjects", "sources": [session.id], "destinations": [target.id]}
    (conflict,) = fw.bulk_move_sessions({**body, "conflict_mode": "skip"})
    assert conflict.conflict_label == "ses-01"


def test_rules_and_permissions(fw: Any, project: Any) -> None:
    """Gear rules and who may see a project."""
    gear = fw.lookup("gears/dcm2niix")
    condition = {"type": "file.type", "value": "dicom"}
    made = fw.add_project_rule(project.id, {"gear_id": gear.id, "name": "r", "all": [condition], "any": [], "not": []})
    assert fw.get_project_rules(project.id)[0].id == made.id
    assert fw.modify_project_rule(project.id, made.id, {"disabled": True}).disabled
    fw.remove_project_rule(project.id, made.id)
    assert fw.get_site_rules() == []
    assert fw.get_project_user_permission(project.id, "op@example.org").role_ids
    fw.delete_project_user_permission(project.id, "op@example.org")
    assert len(fw.get_project(project.id).permissions) == 1


def test_containers_of_all_kinds(fw: Any, project: Any) -> None:
    """Made, changed and deleted from the group down; collections by many nodes; versions of a file."""
    group = fw.get_group(fw.add_group({"_id": "new", "label": "New"}))
    made = group.add_project(label="P")
    subject = made.add_subject(label="s", sex="other")
    session = subject.add_session(label="x", age=5.5)
    scan = session.add_acquisition(label="a")
    made.update(description="d")
    subject.update(sex="male", info={"n": 1})
    assert (fw.get_project(made.id).description, subject.reload().info["n"]) == ("d", 1)
    collection = fw.get_collection(fw.add_collection({"label": "C"}))
    collection.add_sessions(session, the_session(fw, "sub-13"))
    assert len(collection.acquisitions()) == 6
    remove = {"operation": "remove", "nodes": [{"_id": scan.id, "level": "acquisition"}]}
    fw.modify_collection(collection.id, {"contents": remove})
    assert len(fw.get_collection_acquisitions(collection.id)) == 5
    for text in (b"one", b"two"):
        scan.upload_file(flywheel.FileSpec("f.txt", text, "text/plain"))
    file = scan.reload().get_file("f.txt")
    assert [v.version for v in fw.get_file_versions(file.file_id)] == [1, 2]
    assert fw.get_file(file.file_id, version=1).size == 3
    fw.delete_file(file.file_id)
    fw.delete_sessions_by_ids([session.id])
    with pytest.raises(flywheel.ApiException) as gone:
        fw.get_acquisition(scan.id)
    assert gone.value.status == 404
    fw.delete_project(made.id)
    fw.delete_collection(collection.id)
    assert [p.label for p in fw.get_group("new").projects()] == []


def test_whole_containers(fw: Any, tmp_path: Path) -> None:
    """Archives of sessions and acquisitions, by file types."""
    session = the_session(fw, "sub-01")
    target = tmp_path / "x.tar"
    ticket = session.download_tar(str(target), include_types=["nifti"])
    assert ticket["file_cnt"] == 8
    with tarfile.open(target) as archive:
        assert "scitran/scien/BIDS-Sample/sub-01/ses-01/T1w/T1w.nii.gz" in archive.getnames()
    fw.download_zip([session], str(tmp_path / "x.zip"), exclude_types=["dicom", "nifti", "qa"])
    with zipfile.ZipFile(tmp_path / "x.zip") as packed:
        assert [name.rsplit("/", 1)[-1] for name in packed.namelist()] == ["volumes.csv"]


def test_outputs_of_an_analysis_made_by_hand(fw: Any, site: Running) -> None:
    """An analysis without a job takes outputs; one of a job does not."""
    session = the_session(fw, "sub-15")
    analysis = session.add_analysis(label="by hand", inputs=[the_scan(fw, "inplaneT2", "sub-15").files[0].ref()])
    analysis.upload_output(flywheel.FileSpec("out.csv", b"a,b\n", "text/csv"))
    assert [f.name for f in analysis.reload().files] == ["out.csv"]
    assert analysis.read_file("out.csv") == b"a,b\n"
    by_job = next(a for a in the_session(fw, "sub-01").reload().analyses if a.label == "fs first")
    with pytest.raises(flywheel.ApiException) as refused:
        by_job.upload_output(flywheel.FileSpec("x.csv", b"a", "text/csv"))
    assert refused.value.status == 400


@pytest.fixture(scope="module", params=["plain", "s3", "gcs", "azure"])
def signed(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A site with signed addresses, its storage speaking as each of the clouds does."""
    site = Running(Scenario.named("tutorial", switches={"signed_urls": request.param})).start()
    yield site
    site.stop()


def test_transfers_by_signed_address(signed: Running, tmp_path: Path) -> None:
    """Uploads in one and in two parts, kept metadata, redirected downloads, tickets, members of archives."""
    fw = signed.client()
    scan = the_scan(fw, "T1w", "sub-01")
    content = bytes(range(256)) * 1200
    scan.upload_file(flywheel.FileSpec("big.bin", content, "application/octet-stream"), metadata={"info": {"a": 1}})
    stored = scan.reload().get_file("big.bin")
    assert (stored.size, stored.info) == (len(content), {"a": 1})
    assert stored.read() == content
    scan.upload_file(flywheel.FileSpec("big.bin", b"small", "text/plain"), preserve_metadata=True)
    again = scan.reload().get_file("big.bin")
    assert (again.version, again.info, again.read()) == (2, {"a": 1}, b"small")
    target = tmp_path / "big.bin"
    stored.download(str(target))
    assert target.read_bytes() == content
    assert "/files/big.bin?ticket=" in scan.get_file_download_url("big.bin")
    run = next(a for a in the_session(fw, "sub-01").reload().analyses if a.label == "fs second")
    archive = next(f for f in run.files if f.mimetype == "application/zip")
    member = next(m.path for m in archive.get_zip_info().members if m.path.endswith("aseg.stats"))
    assert archive.read_zip_member(member).startswith(b"# subjectname sub-01")
    hosts = {r.path.split("/")[2] for r in signed.sandbox.requests.last if r.path.startswith("/storage/")}
    assert len(hosts) == 1
