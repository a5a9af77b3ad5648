"""The packaged lab, growth, scale, and scenarios read from files."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flyball.sandbox.dice import Dice
from flyball.sandbox.faults import FaultPlan
from flyball.sandbox.iqm import QUALITIES, iqms
from flyball.sandbox.scenario import Scenario, ScenarioError
from flyball.sandbox.state import Site
from flyball.sandbox.world import build
from unit.sandbox.lab import NOW


@pytest.fixture(scope="module")
def site() -> Site:
    """The packaged lab."""
    return build(Scenario.named("lab"), NOW)


def scans(site: Site, subject: str) -> list[dict[str, Any]]:
    """The acquisitions of a subject."""
    own = next(s["_id"] for s in site.subjects.rows.values() if s["label"] == subject)
    return site.acquisitions.below(("subject", own))


def report(site: Site, subject: str, label: str) -> dict[str, Any]:
    """The metrics of a scan's report."""
    scan = next(a for a in scans(site, subject) if a["label"] == label)
    found: dict[str, Any] = next(f["info"] for f in scan["files"] if "mriqc.qa" in f["name"])
    return found


def test_the_lab_has_every_kind_of_trouble(site: Site) -> None:
    """Good and bad metrics, missing, null, text, doubled, unclassified, on the NIfTI, no T1, six T1s."""
    assert report(site, "TOME_3001", "T1w")["snr_total"] > 6
    assert report(site, "TOME_3002", "T1w")["snr_total"] < 6
    assert report(site, "TOME_3002", "task-rest_run-02")["snr"] < 1
    assert report(site, "TOME_3002", "task-rest_run-03")["fd_mean"] > 2.5
    assert report(site, "TOME_3004", "T1w")["snr_total"] is None
    assert "fd_mean" not in report(site, "TOME_3004", "task-rest_run-01")
    assert report(site, "TOME_3004", "task-rest_run-02")["snr"] == "NaN"
    assert isinstance(report(site, "TOME_3004", "task-rest_run-03")["snr"], str)
    doubled = next(a for a in scans(site, "TOME_3007") if a["label"] == "task-rest_run-01")
    assert sum("mriqc.qa" in f["name"] for f in doubled["files"]) == 2
    bare = next(a for a in scans(site, "TOME_3007") if a["label"] == "task-rest_run-02")
    assert bare["files"][-1]["classification"] == {}
    nifti = next(a for a in scans(site, "TOME_3007") if a["label"] == "task-rest_run-03")
    assert nifti["files"][-1]["info"]["IQM"]["snr"] < 1
    assert not [a for a in scans(site, "TOME_3006") if a["label"].startswith("T1w")]
    assert len([a for a in scans(site, "TOME_3005") if a["label"].startswith("T1w")]) == 6
    assert [a["label"] for a in scans(site, "TOME_3008")].count("task-rest_run-02") == 2


def test_hostile_labels_are_there(site: Site) -> None:
    """Paths, markup, formulas, unicode, slashes, and labels that look like other types."""
    labels = {doc["label"] for table in (site.subjects, site.sessions) for doc in table.rows.values()}
    assert {"../x", "<b>bold</b>", "=cmd()", "Übung 名前 🧠", "a/b", "1001", "null", "2026-01-01"} <= labels


def test_times_ids_and_past_jobs_agree(site: Site) -> None:
    """Everything lies in the past, ids show their creation, past launches have ended."""
    for table in (site.sessions, site.acquisitions, site.files):
        for own, doc in table.rows.items():
            assert doc["created"] <= NOW
            assert int(own[:8], 16) == int(doc["created"].timestamp())
    states = sorted((j["gear_info"]["name"], j["state"]) for j in site.jobs.rows.values())
    assert ("freesurfer-recon-all", "complete") in states
    assert ("freesurfer-recon-all", "failed") in states
    assert {s for _, s in states} == {"complete", "failed"}


def test_the_same_scenario_gives_the_same_site(site: Site) -> None:
    """Ids and metrics are repeatable; another seed gives others."""
    again = build(Scenario.named("lab"), NOW)
    assert again.files.ids == site.files.ids
    assert {f["name"]: f["info"] for f in again.files.rows.values()} == {
        f["name"]: f["info"] for f in site.files.rows.values()
    }
    assert build(Scenario.named("lab", seed="other"), NOW).files.ids != site.files.ids


def test_sessions_keep_arriving() -> None:
    """One every few seconds, scan by scan, with MRIQC jobs started by the site, up to the limit."""
    scenario = Scenario.named(
        "lab",
        growth={"every_s": 10, "limit": 3, "lacks": 0},
        jobs={"fail_rate": 0, "gears": {"mriqc": {"fail_rate": 0}}},
    )
    site = build(scenario, NOW)
    before = len(site.sessions)
    site.catch_up(NOW + timedelta(seconds=11))
    assert len(site.sessions) == before + 1
    newest = site.sessions.rows[site.sessions.ids[-1]]
    assert newest["created"] == NOW + timedelta(seconds=10)
    site.catch_up(NOW + timedelta(seconds=60))
    assert len(site.sessions) == before + 3
    arrived = site.acquisitions.below(("session", newest["_id"]))
    assert [a["label"] for a in arrived] == scenario.protocol
    assert all(any("mriqc.qa" in f["name"] for f in a["files"]) for a in arrived if "T2" not in a["label"])
    jobs = [j for j in site.jobs.rows.values() if "auto" in j["tags"]]
    assert {j["origin"]["type"] for j in jobs} == {"system"}


def test_time_never_runs_backwards() -> None:
    """A clock that is set back leaves the site where it was."""
    site = build(Scenario.named("lab"), NOW)
    site.catch_up(NOW - timedelta(days=1))
    assert site.now == NOW


def test_scale() -> None:
    """A large project is there besides the rest, and ids stay in order."""
    site = build(Scenario.named("lab", scale={"sessions": 500, "acquisitions": 2}), NOW)
    big = next(p for p in site.projects.rows.values() if p["label"] == "scale")
    assert len(site.sessions.below(("project", big["_id"]))) == 500
    assert len(site.acquisitions.below(("project", big["_id"]))) == 1000
    assert site.sessions.ids == sorted(site.sessions.rows)


@pytest.mark.parametrize("measurement", ["T1", "T2*"])
@pytest.mark.parametrize("quality", QUALITIES)
def test_metrics_by_quality(measurement: str, quality: str) -> None:
    """Bad kinds are bad, good ones stay within the tutorial's cut-offs, for any dice."""
    for number in range(200):
        metrics = iqms(Dice.of(number), measurement, quality)
        snr: Any = metrics.get("snr" if measurement == "T2*" else "snr_total")
        limit = 1.0 if measurement == "T2*" else 6.0
        if quality == "low_snr":
            assert snr < limit
        elif quality in {"good", "sentinel"} or (quality == "high_fd" and measurement == "T1"):
            assert snr >= limit
        if measurement == "T2*" and quality in {"good", "low_snr"}:
            assert metrics["fd_mean"] <= 2.5


def test_scenarios_from_files(tmp_path: Path) -> None:
    """A file extends a packaged one: maps are merged, lists replaced."""
    path = tmp_path / "small.yaml"
    path.write_text("extends: lab\njobs: {fail_rate: 0}\nprojects: []\nlaunches: []\n")
    scenario = Scenario.load(path)
    assert scenario.jobs["fail_rate"] == 0
    assert scenario.jobs["heartbeat_s"] == 2
    assert scenario.projects == []
    assert scenario.gears


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("speed: 1", "speed"),
        ("dialect: v99", "v99"),
        ("switches: {nope: 1}", "nope"),
        ("jobs: {nope: 1}", "nope"),
        ("extends: nothing", "nothing"),
        ("extends: ../x", "../x"),
        ("a: [", "broken YAML"),
        ("just text", "map"),
    ],
)
def test_broken_scenarios_say_what_is_wrong(tmp_path: Path, text: str, says: str) -> None:
    """The file and the trouble are named."""
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(ScenarioError, match=r"bad\.yaml") as error:
        Scenario.load(path)
    assert says in str(error.value)


def test_an_empty_scenario_is_an_empty_site() -> None:
    """Without `extends` there are two users and nothing else."""
    site = build(Scenario.of({}), datetime(2026, 1, 1, tzinfo=UTC))
    assert (len(site.users), len(site.projects), len(site.gears)) == (2, 0, 0)


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[3].glob("config/scenarios/*.yaml")), ids=lambda p: p.stem
)
def test_the_examples_can_be_used(path: Path) -> None:
    """Each example scenario is read, built, and its faults are understood."""
    scenario = Scenario.load(path)
    site = build(scenario, NOW)
    assert len(site.sessions) > 20
    assert len(FaultPlan(scenario.seed, scenario.faults).faults) == len(scenario.faults)
