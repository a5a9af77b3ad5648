"""The official SDK on the sandbox, writing: tags, notes, info, files, launches and jobs, on both dialects."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import flywheel
import pytest

from contract.sdk_site import Running, both_sites, the_scan, the_session


@pytest.fixture(scope="module")
def sites() -> Iterator[dict[str, Running]]:
    """A site of each dialect."""
    yield from both_sites()


@pytest.fixture
def recent(sites: dict[str, Running]) -> Running:
    """The v23 site with fresh data."""
    return sites["v23"].fresh()


@pytest.fixture
def old(sites: dict[str, Running]) -> Running:
    """The 2019 site with fresh data."""
    return sites["live19"].fresh()


@pytest.fixture(params=["v23", "live19"])
def either(request: pytest.FixtureRequest, sites: dict[str, Running]) -> Running:
    """Each of the two sites in turn, with fresh data."""
    return sites[request.param].fresh()


def test_tags(either: Running) -> None:
    """Add, double (409), rename, delete, on every level."""
    fw = either.client()
    session = the_session(fw)
    project = fw.projects.find_one("label=tome")
    for container in (the_scan(fw), session, fw.get_subject(session.subject.id), project, fw.get_group("scien")):
        container.add_tag("LOW_SNR")
        with pytest.raises(flywheel.ApiException) as double:
            container.add_tag("LOW_SNR")
        assert double.value.status == 409
        container.rename_tag("LOW_SNR", "SNR_LOW")
        assert container.reload().tags == ["SNR_LOW"]
        container.delete_tag("SNR_LOW")
        assert container.reload().tags == []


def test_tags_in_lists(recent: Running, old: Running) -> None:
    """A 2019 site shows none for scans and sessions, but finds by them."""
    for site, shown in ((recent, ["X"]), (old, [])):
        fw = site.client()
        the_scan(fw).add_tag("X")
        assert [a.tags for a in fw.acquisitions.find("tags=X")] == [shown]


def test_notes_and_info(recent: Running) -> None:
    """Notes come and go, info is set, replaced and deleted."""
    fw = recent.client()
    session = the_session(fw)
    session.add_note("checked")
    note = session.reload().notes[0]
    assert (note.text, note.user) == ("checked", "admin@example.org")
    session.delete_note(note.id)
    session.update_info({"qc": {"snr": 4.2}, "n": 1})
    session.delete_info("n")
    assert session.reload().info == {"qc": {"snr": 4.2}}
    session.replace_info({"only": 1})
    assert session.reload().info == {"only": 1}
    project = fw.projects.find_one("label=tome")
    assert len(project.sessions.find("info.only=1")) == 1


def test_info_writes_fail_clearly_on_an_old_site(old: Running) -> None:
    """PATCH is a 501 there."""
    with pytest.raises(flywheel.ApiException) as refused:
        the_session(old.client()).update_info({"a": 1})
    assert refused.value.status == 501


def test_an_analysis_gear_runs_to_its_end(recent: Running) -> None:
    """Looked up, launched with inputs, followed through the analysis, outputs read from the zip."""
    fw = recent.client()
    gear = fw.lookup("gears/freesurfer-recon-all")
    assert gear.gear.version == "1.2.0_7.2.0"
    scan = the_scan(fw)
    subject = fw.get_subject(scan.parents.subject)
    own = gear.run(
        analysis_label="Freesurfer_Recon_all",
        inputs={"anatomical": scan.get_file("T1w.nii.gz")},
        destination=subject,
        config={"gear-FREESURFER_LICENSE": ""},
        tags=["fwd-key-0001"],
    )
    analysis = fw.get_analysis(own)
    assert analysis.label == "Freesurfer_Recon_all"
    assert analysis.job.state == "pending"
    assert analysis.job.tags == ["analysis", "freesurfer-recon-all", "fwd-key-0001"]
    recent.later(60)
    analysis = analysis.reload()
    assert analysis.job.state == "complete"
    output = analysis.files[0]
    member = next(m.path for m in analysis.get_file_zip_info(output.name).members if "aseg.stats" in m.path)
    assert b"BrainSeg" in analysis.read_file_zip_member(output.name, member)
    assert [a.id for a in subject.reload().analyses] == [own]
    assert [j.id for j in fw.jobs.find("tags=fwd-key-0001")] == [analysis.job.id]
    assert fw.get_job(analysis.job.id).inputs["anatomical"].name == "T1w.nii.gz"


def test_utility_jobs_retries_and_cancelling(either: Running) -> None:
    """A job without an analysis; the failed one of the past is retried, a waiting one cancelled."""
    fw = either.client()
    scan = the_scan(fw)
    gear = fw.lookup("gears/mriqc")
    own = gear.run(inputs={"nifti": scan.get_file("T1w.nii.gz")}, destination=scan, tags=["U"])
    job = fw.get_job(own)
    assert (job.state, job.destination.type) == ("pending", "acquisition")
    either.later(60)
    assert job.reload().state == "complete"
    assert fw.get_job_logs(own).logs
    failed = fw.jobs.find_first("state=failed,gear_info.name=mriqc")
    again = fw.get_job(fw.retry_job(failed.id))
    assert again.previous_job_id == failed.id
    if either.sandbox.site.speech.name == "v23":
        again.change_state("cancelled")
    else:
        # It is carried out, but SDK 23 cannot read the old server's empty answer.
        with pytest.raises(RuntimeError, match="deserialization"):
            again.change_state("cancelled")
    assert again.reload().state == "cancelled"


def test_launches_on_an_old_site(old: Running) -> None:
    """The SDK's priority is refused there, ad-hoc analyses work."""
    fw = old.client()
    session = the_session(fw)
    with pytest.raises(flywheel.ApiException) as refused:
        fw.lookup("gears/bids-mriqc").run(analysis_label="L", destination=session)
    assert refused.value.status == 400
    with pytest.raises(flywheel.ApiException) as broken:
        fw.gears.find("gear.name=mriqc")
    assert broken.value.status == 500
    analysis = session.add_analysis(label="ad hoc", inputs=[the_scan(fw).files[0].ref()])
    assert [f.name for f in analysis.inputs] == ["T1w.dicom.zip"]
    with pytest.raises(flywheel.ApiException) as absent:
        fw.files.find("type=nifti")
    assert absent.value.status == 404


def test_files(recent: Running) -> None:
    """Found site-wide, tagged, described, classified, uploaded, replaced, read, deleted."""
    fw = recent.client()
    assert len(list(fw.files.iter_find("type=nifti", limit=50))) == len(
        [f for f in recent.sandbox.site.files.rows.values() if f["type"] == "nifti"]
    )
    scan = the_scan(fw).reload()
    file = scan.get_file("T1w.nii.gz")
    file.add_tag("A")
    file.add_tags(["B", "C"])
    file.delete_tag("B")
    assert fw.get_file_tags(file.file_id) == ["A", "C"]
    fw.delete_file_tags(file.file_id, body=["A"])
    file.update_info({"qc": 1})
    file.update_classification({"Features": ["SBRef"]})
    file.update(type="nifti", modality="MR")
    again = fw.get_file(file.file_id)
    assert (again.tags, again.info["qc"], again.classification["Features"]) == (["C"], 1, ["SBRef"])
    scan.upload_file(flywheel.FileSpec("x.txt", b"hello", "text/plain"), metadata={"info": {"a": 1}})
    scan.upload_file(flywheel.FileSpec("x.txt", b"hello again", "text/plain"))
    text = scan.reload().get_file("x.txt")
    assert (text.version, text.info, text.read()) == (2, {}, b"hello again")
    assert [v.version for v in fw.get_file_versions(text.file_id)] == [1, 2]
    scan.delete_file("x.txt")
    assert scan.reload().get_file("x.txt") is None


def test_uploads_and_downloads(either: Running, tmp_path: Path) -> None:
    """A report goes up to the project and comes down the same."""
    fw = either.client()
    project = fw.projects.find_one("label=tome")
    # By content, not by path: the SDK leaves the files that it opens to the collector.
    project.upload_file(flywheel.FileSpec("report.csv", "a,b\n1,2\n", "text/csv"))
    back = tmp_path / "back.csv"
    project.reload().download_file("report.csv", str(back))
    assert back.read_text() == "a,b\n1,2\n"


def test_creating_and_deleting(either: Running) -> None:
    """The hierarchy from the tutorial's table, and away again."""
    fw = either.client()
    project = fw.get_group("demo").add_project(label="P1")
    subject = project.add_subject(code="sub001", label="sub001", sex="female")
    session = subject.add_session({"label": "Session1", "age": 34 * 365 * 24 * 60 * 60.0})
    taken = datetime(2019, 10, 3, 15, 32, tzinfo=UTC)
    scan = session.add_acquisition({"label": "Struct_T1", "timestamp": taken})
    assert scan.timestamp == taken
    assert session.age == 34 * 365 * 24 * 60 * 60
    session.update(label="renamed")
    assert session.reload().label == "renamed"
    fw.delete_session(session.id)
    with pytest.raises(flywheel.ApiException) as absent:
        fw.get_acquisition(scan.id)
    assert absent.value.status == 404


def test_collections(either: Running) -> None:
    """Made, found by label, filled with scans and sessions, emptied."""
    fw = either.client()
    own = fw.add_collection({"label": "SiteWide_T1"})
    collection = fw.get_collection(own)
    scan, session = the_scan(fw), the_session(fw, "TOME_3002")
    collection.add_acquisitions(scan.id)
    collection.add_sessions(session)
    assert len(fw.get_collection_acquisitions(own)) == 1 + len(session.acquisitions())
    assert {s.id for s in fw.get_collection_sessions(own)} == {scan.session, session.id}
    assert fw.collections.find_one("label=SiteWide_T1").id == own
    fw.delete_collection(own)


def test_the_tutorials_quality_loop(either: Running) -> None:
    """The tutorial's loop over reports, careful about what is missing, tags what it should."""
    fw = either.client()
    project = fw.projects.find_one("label=tome")
    tagged = []
    for session in project.sessions.iter():
        for scan in session.acquisitions.iter():
            reports = [f for f in scan.reload().files if "mriqc.qa" in f.name]
            for report in reports:
                measurement = report.classification.get("Measurement") or []
                snr = report.info.get("snr" if "T2*" in measurement else "snr_total")
                limit = 1.0 if "T2*" in measurement else 6.0
                if isinstance(snr, float) and snr < limit:
                    scan.add_tag("LOW_SNR")
                    tagged.append(scan.id)
    assert len(tagged) == 3
    assert sorted(a.id for a in fw.acquisitions.find("tags=LOW_SNR")) == sorted(tagged)
