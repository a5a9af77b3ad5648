"""Every example of Flywheel's tutorial, done by the official SDK on `flyball sandbox --scenario tutorial`.

Each test does what one example does, with the SDK calls that it makes. Where the tutorial's own code
slips, the test's docstring names the slip that was mended; results are compared with the scenario.
"""

import csv
import io
import statistics
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flywheel
import numpy as np
import pandas as pd
import pytest

from support.process import SandboxProgram, ask

YEAR_OF_365_DAYS = 365 * 24 * 60 * 60
PROTOCOL = {
    *("T1w", "inplaneT2"),
    *(f"task-balloonanalogrisktask_run-0{number}" for number in range(1, 5)),
}

SDK_LEAVES_FILES_OPEN = pytest.mark.filterwarnings("ignore:Exception ignored in.*FileIO", "ignore:unclosed file")
"""The SDK does not close the files that it uploads by their path."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxProgram]:
    """The sandbox as a process of its own."""
    with SandboxProgram(tmp_path_factory.mktemp("tutorial"), {"extends": "tutorial"}) as program:
        yield program


@pytest.fixture
def fw(site: SandboxProgram) -> Iterator[Any]:
    """The official client on fresh data."""
    assert ask(f"{site.root}/sandbox/reset", "POST").status == 200
    client = flywheel.Client(site.key)
    yield client
    client.api_client.rest_client.client.close()


@pytest.fixture
def sample(fw: Any) -> Any:
    """The project `BIDS-Sample`, by its id as the tutorial does."""
    return fw.get_project(fw.projects.find_one("label=BIDS-Sample").id)


# Connecting


def test_connecting_with_the_login_of_the_command_line(
    site: SandboxProgram, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without an argument takes the key of the CLI's login file."""
    login = tmp_path / ".config" / "flywheel" / "user.json"
    login.parent.mkdir(parents=True)
    login.write_text(f'{{"key": "{site.key}"}}')
    monkeypatch.setenv("HOME", str(tmp_path))
    client = flywheel.Client()
    user = client.get_current_user()
    assert (user.firstname, user.lastname, user.email) == ("Ada", "Admin", "admin@example.org")
    client.api_client.rest_client.client.close()


def test_connecting_with_a_key(fw: Any) -> None:
    """A key as an argument."""
    assert fw.get_current_user().email == "admin@example.org"


# The basics


def test_printing_a_subject(fw: Any) -> None:
    """The first subject, whole, as text."""
    assert "'label': 'sub001'" in str(fw.subjects.find_first())


def test_the_way_down_to_a_container(fw: Any) -> None:
    """Parents by `parents`, each fetched by its id alone (mended: `flywheel.Clint`)."""
    acquisition = fw.acquisitions.find_first("label=rfMRI_REST_AP")
    above = acquisition.parents
    assert above.session is not None
    names = [fw.get(above.group).label]
    for level in ("project", "subject", "session", "acquisition", "analysis"):
        own = above.get(level)
        if own is not None:
            names.append(fw.get(own).label)
    names.append(acquisition.label)
    assert names == ["Scientific Solutions", "BIDS-Sample", "sub-01", "ses-01", "rfMRI_REST_AP"]
    assert acquisition.container_type == "acquisition"


def test_subjects_over_forty(fw: Any) -> None:
    """Finders over custom info, also with two conditions; a text is no number."""
    project = fw.projects.find_one("label=Test_Project")
    assert len(project.subjects()) == 7
    assert [s.label for s in project.subjects.find("info.age>40")] == ["sub002", "sub003", "sub007"]
    assert [s.label for s in project.subjects.find("sex=male,info.age>40")] == ["sub002"]
    assert [s.label for s in project.subjects.find("sex=female,info.age>40")] == ["sub003", "sub007"]


def test_projects_by_group(fw: Any) -> None:
    """Groups, and the projects of each."""
    found = {f"{group.id:12}".strip(): [p.label for p in group.projects()] for group in fw.groups()}
    assert found == {"scien": ["Test_Project", "BIDS-Sample"], "demo": ["empty"]}


def test_subjects_from_a_table(fw: Any) -> None:
    """Subject, session and acquisition for each line (mended: no project was looked up, `~` was not expanded)."""
    table = (
        "Subject ID,FirstName,LastName,sex,age,time of scan\n"
        "sub101,Lisa,Simpson,female,34,10/03/2019 15:32\n"
        "sub102,Bart,Simpson,male,23,09/23/2019 12:02\n"
    )
    project = fw.projects.find_one("label=Test_Project")
    for row in csv.DictReader(io.StringIO(table)):
        scanned = datetime.strptime(row["time of scan"], "%m/%d/%Y %H:%M").replace(tzinfo=UTC)
        names = {"label": row["Subject ID"], "firstname": row["FirstName"], "lastname": row["LastName"]}
        subject = project.add_subject({**names, "sex": row["sex"]})
        session = subject.add_session({"label": "Session1", "age": float(row["age"]) * YEAR_OF_365_DAYS})
        session.add_acquisition({"label": "Struct_T1", "timestamp": scanned})
    made = fw.subjects.find_one("label=sub101").reload()
    assert (made.firstname, made.lastname, made.sex) == ("Lisa", "Simpson", "female")
    session = made.sessions.find_one("label=Session1").reload()
    assert session.age == 34 * YEAR_OF_365_DAYS
    assert session.acquisitions.find_one("label=Struct_T1").timestamp == datetime(2019, 10, 3, 15, 32, tzinfo=UTC)
    assert len(project.subjects()) == 9
    with pytest.raises(flywheel.ApiException) as taken:
        project.add_subject({"label": "sub101"})
    assert taken.value.status == 422


# Metadata reports


def test_iterating_over_everything(sample: Any) -> None:
    """Nested iterators (mended: a colon was missing)."""
    labels = [
        acquisition.label
        for subject in sample.subjects.iter()
        for session in subject.sessions.iter()
        for acquisition in session.acquisitions.iter()
    ]
    assert len(labels) == len(set(labels)) + sum(labels.count(label) - 1 for label in set(labels))
    assert labels.count("T1w") == 4


def test_demographics(fw: Any, tmp_path: Path) -> None:
    """Ages and sexes (mended: a subject without a session has nothing to reload; an age of -1 is an age there)."""
    project = fw.get_project(fw.projects.find_one("label=Test_Project").id)
    report: dict[str, list[Any]] = {"subject": [], "age": [], "sex": []}
    for listed in project.subjects():
        subject = listed.reload()
        session = subject.sessions.find_first()
        age = session.reload().age_years if session else None
        report["subject"].append(subject.label)
        report["sex"].append(subject.sex)
        report["age"].append(age or np.nan)
    known = np.ma.array(report["age"], mask=np.isnan(report["age"]))
    assert float(np.mean(known)) == pytest.approx(statistics.mean([34.2, 45.5, 61.9, 1999, -1]), abs=0.01)
    assert report["sex"].count("female") / len(report["sex"]) * 100 == pytest.approx(300 / 7)
    assert report["sex"].count("male") == 2
    file = tmp_path / f"Project_{project.label}_Demographics.csv"
    pd.DataFrame(report).to_csv(file, index=False)
    assert len(file.read_text().splitlines()) == 8


def test_who_lacks_which_scan(fw: Any) -> None:
    """The table of all acquisitions by subject, and what each lacks."""
    table: dict[str, list[str]] = {"project": [], "subject": [], "session": [], "acquisition": []}
    project = fw.projects.find_one("label=BIDS-Sample")
    for subject in project.subjects.iter():
        for session in subject.sessions.iter():
            for acquisition in session.acquisitions.iter():
                for name, value in zip(table, (project, subject, session, acquisition), strict=True):
                    table[name].append(value.label)
    frame = pd.DataFrame.from_dict(table)
    assert len(frame.groupby(["project", "subject"])) == 5
    by_subject = frame.groupby("subject")
    lacking = {
        subject: sorted(PROTOCOL - set(by_subject.get_group(subject)["acquisition"].unique()))
        for subject in frame.subject.unique()
    }
    assert {subject: labels for subject, labels in lacking.items() if labels} == {
        "sub-13": ["task-balloonanalogrisktask_run-04"],
        "sub-14": ["inplaneT2", "task-balloonanalogrisktask_run-04"],
        "sub-15": ["T1w"],
    }


# Quality


def test_flagging_poor_quality(sample: Any, tmp_path: Path) -> None:
    """Metrics of MRIQC's reports and tags (mended: a metric or a classification that is absent breaks the loop)."""
    rows: list[dict[str, Any]] = []
    flagged: dict[str, set[str]] = {}
    for session in sample.sessions.iter():
        for listed in session.acquisitions.iter():
            acquisition = listed.reload()
            for report in [f for f in acquisition.files if "mriqc.qa" in f.name][:1]:
                measured = report.classification.get("Measurement") or []
                bold = "T2*" in measured
                snr = report.info.get("snr" if bold else "snr_total")
                motion: Any = report.info.get("fd_mean") if bold else "NA"
                rows.append(
                    {"subject": session.subject.label, "acquisition": acquisition.label, "snr": snr, "FD": motion}
                )
                poor = {"LOW_SNR"} if snr is not None and snr < (1.0 if bold else 6.0) else set()
                poor |= {"HIGH_FD"} if bold and motion is not None and motion > 2.5 else set()
                for tag in poor:
                    acquisition.add_tag(tag)
                if poor:
                    flagged[f"{session.subject.label} {acquisition.label}"] = poor
    assert flagged == {
        "sub-02 T1w": {"LOW_SNR"},
        "sub-02 task-balloonanalogrisktask_run-01": {"LOW_SNR"},
        "sub-02 task-balloonanalogrisktask_run-02": {"HIGH_FD"},
    }
    pd.DataFrame(rows).to_csv(tmp_path / "qc_report.csv", index=False)
    assert len(rows) == len((tmp_path / "qc_report.csv").read_text().splitlines()) - 1
    tagged = [a.label for s in sample.sessions() for a in s.acquisitions.find("tags=LOW_SNR")]
    assert tagged == ["T1w", "task-balloonanalogrisktask_run-01"]


@SDK_LEAVES_FILES_OPEN
def test_the_last_run_of_a_gear(sample: Any, tmp_path: Path) -> None:
    """State of the newest run on each session, uploaded (mended: a single match used the loop's last analysis)."""
    gear = "grp13-container-export"
    table: dict[str, list[str]] = {"subject": [], "session": [], "run": [], "status": []}
    for listed in sample.sessions.iter():
        session = listed.reload()
        matches = [a for a in session.analyses if a.gear_info.get("name") == gear]
        newest = max(matches, key=lambda a: a.created) if matches else None
        table["subject"].append(session.subject.label)
        table["session"].append(session.label)
        table["run"].append(str(bool(matches)))
        table["status"].append(newest.job.get("state") if newest else "NA")
    assert dict(zip(table["subject"], table["status"], strict=True)) == {
        "sub-01": "complete",
        "sub-02": "failed",
        "sub-13": "NA",
        "sub-14": "running",
        "sub-15": "NA",
    }
    file = tmp_path / f"{gear}_RunReport_{datetime.now(UTC):%m_%d_%Y-%H_%M_%S}.csv"
    pd.DataFrame.from_dict(table).to_csv(file, index=False)
    sample.upload_file(str(file))
    assert file.name in [f.name for f in sample.reload().files]
    assert sample.read_file(file.name) == file.read_bytes()


# Collections


def twenties(fw: Any) -> list[Any]:
    """The structural T1 scans of people in their twenties, by finders."""
    found = []
    for session in fw.sessions.find(f"age>={20 * YEAR_OF_365_DAYS},age<{30 * YEAR_OF_365_DAYS}"):
        for listed in session.acquisitions.find("label=~^((?!SBRef).)*$"):
            acquisition = listed.reload()
            fitting = (
                f.classification.get("Intent") == ["Structural"] and f.classification.get("Measurement") == ["T1"]
                for f in acquisition.files
            )
            if any(fitting):
                found.append(acquisition)
    return found


def test_a_collection_by_finders(fw: Any) -> None:
    """Found by age, label and classification; members added one by one."""
    found = twenties(fw)
    assert [a.label for a in found] == ["T1w", "T1w"]
    collection = fw.get_collection(fw.add_collection({"label": "SiteWide_structural_decade_20_finder"}))
    for acquisition in found:
        collection.add_acquisitions(acquisition.id)
    assert {a.id for a in collection.acquisitions()} == {a.id for a in found}
    assert len(collection.sessions()) == 2


def test_a_collection_by_a_query(fw: Any) -> None:
    """The same by one structured query."""
    query = (
        f"session.age >= {20 * YEAR_OF_365_DAYS} AND session.age < {30 * YEAR_OF_365_DAYS} AND "
        "file.classification.Measurement = T1 AND file.classification.Intent = Structural AND "
        "NOT acquisition.label CONTAINS .*SBRef.*"
    )
    found = fw.search({"structured_query": query, "return_type": "acquisition"}, size=10000)
    assert {r.acquisition.id for r in found} == {a.id for a in twenties(fw)}
    collection = fw.get_collection(fw.add_collection({"label": "SiteWide_Structural_decade_20_query"}))
    for result in found:
        collection.add_acquisitions(result.acquisition.id)
    assert len(collection.acquisitions()) == 2


def test_many_collections_by_queries(fw: Any) -> None:
    """One for each decade and kind of scan (mended: the loops were not indented)."""
    made = {}
    for decade in (20, 30, 40, 50, 60):
        first = decade * YEAR_OF_365_DAYS
        for measurement, intent in (("T2*, BOLD", "Functional"), ("T1", "Structural")):
            query = (
                f"session.age >= {first} AND session.age <= {first + 10 * YEAR_OF_365_DAYS - 1} AND "
                f"file.classification.Measurement IN [{measurement}] AND file.classification.Intent = {intent} AND "
                "file.classification.Features != SBRef AND NOT acquisition.label CONTAINS .*SBRef.*"
            )
            found = fw.search({"structured_query": query, "return_type": "acquisition", "all_data": True}, size=10000)
            if found:
                own = fw.add_collection({"label": f"SiteWide_{intent}_decade_{decade}"})
                collection = fw.get_collection(own)
                for result in found:
                    collection.add_acquisitions(result.acquisition.id)
                made[collection.label] = len(collection.acquisitions())
    assert made == {
        "SiteWide_Functional_decade_20": 10,
        "SiteWide_Structural_decade_20": 2,
        "SiteWide_Functional_decade_30": 7,
        "SiteWide_Structural_decade_30": 2,
        "SiteWide_Functional_decade_40": 4,
        "SiteWide_Structural_decade_40": 1,
        "SiteWide_Functional_decade_50": 3,
        "SiteWide_Structural_decade_50": 6,
        "SiteWide_Functional_decade_60": 12,
        "SiteWide_Structural_decade_60": 2,
    }


# Data views


def scan_parameters() -> Any:
    """The tutorial's view: echo time, flip angle and repetition time of fMRI archives."""
    builder = flywheel.ViewBuilder(
        label="fMRI_scan_parameters",
        container="acquisition",
        match="all",
        process_files=False,
        include_ids=False,
        include_labels=False,
    )
    for source in ("project.label", "subject.label", "session.label", "acquisition.label"):
        builder.column(src=source, dst=None, type=None)
    for source, name in (("EchoTime", "Echo Time"), ("FlipAngle", "Flip Angle"), ("RepetitionTime", "TR")):
        builder.column(src=f"file.info.{source}", dst=name, type=None)
    builder.file_filter(value="*fMRI*.dcm.zip")
    builder.file_container("acquisition")
    builder.missing_data_strategy("drop-row")
    return builder.build()


def test_scan_parameters_by_a_view(fw: Any, tmp_path: Path) -> None:
    """A view over every project, joined and as CSV (mended: pandas has no `append` any more)."""
    view = scan_parameters()
    frames = []
    for project in fw.projects.iter():
        frame = fw.read_view_dataframe(view, project.id)
        frames.append(frame)
        file = tmp_path / f"{project.label}_DataView_Report.csv"
        fw.save_view_data(view, project.id, str(file), format="csv")
        lines = file.read_text().splitlines()
        assert len(lines) == len(frame) + 1
    joined = pd.concat(frames, ignore_index=True)
    assert list(joined["acquisition.label"]) == ["rfMRI_REST_AP", "rfMRI_REST_PA"]
    assert list(joined["Echo Time"]) == [0.033, 0.033]
    assert list(joined["TR"]) == [0.8, 0.8]
    assert list(joined["Flip Angle"]) == [52, 52]


def test_reading_tables_inside_of_files(fw: Any, sample: Any) -> None:
    """Rows of CSV files, on sessions and inside of a gear's archive; the tutorial only describes it."""
    view = fw.View(
        columns=["subject.label"], container="session", filename="volumes.csv", include_ids=False, include_labels=False
    )
    frame = fw.read_view_dataframe(view, sample.id).dropna(subset=["region"])
    assert list(frame["mm3"]) == [4012.5, 4190.1, 3900.0, 4001.7]
    inside = fw.View(
        columns=["subject.label"],
        container="session",
        filename="*.zip",
        zip_files="*/summary.csv",
        analysis_gear_name="bids-freesurfer",
        match="all",
        include_ids=False,
        include_labels=False,
    )
    found = fw.read_view_dataframe(inside, sample.id).dropna(subset=["region"])
    assert list(found["subject.label"]) == ["sub-01", "sub-02"]


# Gears


def test_launching_recon_all_with_all_its_inputs(fw: Any, sample: Any) -> None:
    """Up to five T1s and one T2 for each subject (mended: a file without `Intent`; a subject without a T1)."""
    gear = fw.lookup("gears/freesurfer-recon-all")
    order = ["anatomical", *(f"t1w_anatomical_{number}" for number in range(2, 6))]
    launched = {}
    for subject in sample.subjects.iter():
        inputs: dict[str, Any] = {}
        for session in subject.sessions.iter():
            for acquisition in session.acquisitions.iter():
                for file in acquisition.files:
                    if file.type != "nifti" or "Structural" not in (file.classification.get("Intent") or []):
                        continue
                    slots = [slot for slot in order if slot not in inputs]
                    if file.classification.get("Measurement") == ["T1"] and slots:
                        inputs[slots[0]] = file
                    elif file.classification.get("Measurement") == ["T2"] and "t2w_anatomical" not in inputs:
                        inputs["t2w_anatomical"] = file
        if "anatomical" in inputs:
            label = f"Freesurfer_Recon_all_{datetime.now(UTC):%d-%m-%Y_%H-%M-%S}"
            config = {"gear-FREESURFER_LICENSE": ""}
            own = gear.run(analysis_label=label, inputs=inputs, destination=subject, config=config)
            launched[subject.label] = (own, len(inputs))
    assert {label: count for label, (_, count) in launched.items()} == {
        "sub-01": 2,
        "sub-02": 3,
        "sub-13": 2,
        "sub-14": 5,
    }
    analysis = fw.get_analysis(launched["sub-14"][0])
    assert analysis.job.gear_info.name == "freesurfer-recon-all"
    assert len(fw.get_job(analysis.job.id).inputs) == 5
    assert analysis.job.config["config"]["reconall_options"] == "-all -qcache"


# Files


def test_downloading_one_member_of_each_archive(fw: Any, sample: Any, tmp_path: Path) -> None:
    """`aseg.stats` of the newest complete run (mended: `Path` takes no `platform`; no run may be complete)."""
    written = []
    for listed in sample.sessions.iter():
        session = listed.reload()
        runs = [a for a in session.analyses if a.gear_info.get("name") == "bids-freesurfer"]
        complete = [a for a in runs if a.job.get("state") == "complete"]
        if not complete:
            continue
        match = max(complete, key=lambda a: a.created).reload()
        (archive,) = [f for f in match.files if f.mimetype == "application/zip"]
        listing = match.get_file_zip_info(archive.name)["members"]
        (member,) = [m["path"] for m in listing if "/aseg.stats" in m["path"]]
        target = tmp_path / session.subject.label / session.label / f"{match.label}_aseg.stats"
        target.parent.mkdir(parents=True)
        match.download_file_zip_member(archive.name, member, str(target))
        assert target.read_text().startswith(f"# subjectname {session.subject.label}\n")
        written.append(str(target.relative_to(tmp_path)))
    assert written == ["sub-01/ses-01/fs second_aseg.stats", "sub-02/ses-01/fs only_aseg.stats"]


@SDK_LEAVES_FILES_OPEN
def test_uploading_to_every_kind_of_container(fw: Any, sample: Any, tmp_path: Path) -> None:
    """Any file on any container; the tutorial only describes it. Again under the same name makes a new version."""
    file = tmp_path / "notes.pdf"
    file.write_bytes(b"%PDF-1.4")
    subject = sample.subjects.find_one("label=sub-01")
    session = subject.sessions.find_first()
    acquisition = session.acquisitions.find_first("label=T1w")
    for container in (sample, subject, session, acquisition):
        container.upload_file(str(file))
        container.upload_file(str(file))
        (stored,) = [f for f in container.reload().files if f.name == "notes.pdf"]
        assert (stored.version, stored.size, stored.read()) == (2, 8, b"%PDF-1.4")
    assert fw.get_file(stored.file_id).parent_ref.id == acquisition.id
