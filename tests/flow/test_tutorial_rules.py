"""The tutorial's examples as the shipped rules: live on an emulated site, compared with what its data say; then again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from flyball.asking import plan
from flyball.configfile.yaml import read_yaml
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import content_of, find_file
from support.lab import QUICK_JOBS, SHIPPED, opened, write_lab
from support.truth import compare, of_site

YEAR = 31_557_600
RECON, BIDS = "freesurfer-recon-all", "bids-freesurfer"
WAVES = 8  # runs in which what one rule made may lead to what another one does; jobs end between them
Doc = dict[str, Any]


def live(config: Path) -> None:
    """Take the rules of the examples out of their pause; reports as CSV and at once, for the plots take their time."""
    for path in (config / "rules").glob("*.yaml"):
        if path.name == "recon-all-by-session.yaml":  # the other way to do what `recon-all` does
            continue
        text = path.read_text("utf-8").replace("    mode: paused\n", "").replace("report: {", "report: {format: csv, ")
        path.write_text(re.sub("trigger: {schedule: .*}", "trigger: [startup, changed]", text), "utf-8")


class Site:
    """What the emulated site holds, of the projects that the rules are about."""

    def __init__(self, box: Sandbox, data: Path) -> None:
        self.box, self.data, self.site = box, data, box.site
        rows = self.site.projects.rows.values()
        self.projects = [row for row in rows if row["group"] == "scien" and row["label"] != "scratch"]

    def below(self, table: str, project: Doc | None = None) -> list[Doc]:
        """The rows of one kind, of one project or of all."""
        chosen = {str(row["_id"]) for row in ([project] if project else self.projects)}
        return [row for row in getattr(self.site, table).rows.values() if str(row["parents"]["project"]) in chosen]

    def label(self, row: Doc, level: str) -> str:
        """Of a row's ancestor."""
        return str(self.site.get(level, row["parents"][level])["label"])

    def above(self, row: Doc, *levels: str) -> tuple[str, ...]:
        """Labels of several ancestors."""
        return tuple(self.label(row, level) for level in levels)

    def scans(self, low: float, high: float, intent: str, measurement: str, *, alone: bool) -> set[str]:
        """Acquisitions of people of that age with a file of that kind; `alone`: and of no other."""
        found = set()
        for row in self.below("acquisitions"):
            age = self.site.get("session", row["session"]).get("age")
            if not isinstance(age, int | float) or not low <= age / YEAR < high or "SBRef" in row["label"]:
                continue
            for file in self.site.files_of(row):
                kinds = file["classification"]
                intents, measured = kinds.get("Intent") or [], kinds.get("Measurement") or []
                fits = (intents, measured) == ([intent], [measurement])
                if fits or (not alone and intent in intents and measurement in measured):
                    found.add(str(row["_id"]))
        return found

    def members(self, label: str) -> list[set[str]]:
        """Members of each collection of that label."""
        chosen = [row["_id"] for row in self.site.collections.rows.values() if row["label"] == label]
        scans = self.site.acquisitions.rows.values()
        return [{str(one["_id"]) for one in scans if ident in one.get("collections", [])} for ident in chosen]

    def files(self, folder: str) -> set[str]:
        """Paths below a folder, as they are on the disk."""
        top = self.data / folder
        return {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}

    def report(self, project: Doc, kind: str) -> pd.DataFrame:
        """A report's CSV."""
        path = self.data / "reports" / "scien" / f"{project['label']}_{kind}.csv"
        return pd.read_csv(path, keep_default_na=False)


def quality_protocol_and_launches(site: Site) -> None:
    """Tags, and runs of recon-all, by `support.truth`."""
    assert not compare(of_site(site.site))


def collections(site: Site) -> None:
    """One of each label, with these members."""
    twenties = site.scans(20, 30, "Structural", "T1", alone=True)
    assert twenties
    assert site.members("SiteWide_structural_decade_20") == [twenties]
    assert site.members("SiteWide_structural_decade_20_query") == [site.scans(20, 30, "Structural", "T1", alone=False)]
    for decade in range(20, 70, 10):
        for intent, measurement in (("Structural", "T1"), ("Functional", "T2*")):
            wanted = site.scans(decade, decade + 10, intent, measurement, alone=False)
            assert site.members(f"SiteWide_{intent}_decade_{decade}") == ([wanted] if wanted else [])


def views(site: Site) -> None:
    """Scan parameters of each DICOM archive, and the rows of the sessions' CSVs; of each project, and of all."""
    together = []
    for project in site.projects:
        wanted = []
        for file in site.below("files", project):
            info = file["info"]
            told = [info.get(name) for name in ("EchoTime", "FlipAngle", "RepetitionTime")]
            if file["name"].endswith(".dicom.zip") and file["parents"].get("acquisition") and None not in told:
                labels = site.above(file, "project", "subject", "session", "acquisition")
                wanted.append((*labels, *map(float, told)))
        assert table(site.data / "views" / f"{project['label']}_DataView_Report.csv") == sorted(wanted)
        together += wanted
    assert together
    assert table(site.data / "views" / "all_projects.csv") == sorted(together)
    volumes = [
        (*site.above(file, "project", "subject", "session"), *line.split(","))
        for file in site.below("files")
        if file["name"] == "volumes.csv"
        for line in content_of(site.site, file).decode().split()[1:]
    ]
    path = site.data / "views" / "all_volumes.csv"
    found = pd.read_csv(path, dtype=str) if volumes else pd.DataFrame()
    names = ["project.label", "subject.label", "session.label", "region", "mm3"]
    assert sorted(found[names].itertuples(index=False, name=None) if volumes else []) == sorted(volumes)


def table(path: Path) -> list[tuple[Any, ...]]:
    """The rows of a view: labels, then numbers."""
    names = ["project.label", "subject.label", "session.label", "acquisition.label", "Echo Time", "Flip Angle", "TR"]
    try:
        found = pd.read_csv(path, dtype=dict.fromkeys(names[:4], str), keep_default_na=False)
    except (FileNotFoundError, pd.errors.EmptyDataError):
        return []
    rows = found[names].itertuples(index=False, name=None)
    return sorted((*row[:4], *map(float, row[4:])) for row in rows)


def downloads(site: Site) -> None:
    """QA reports, and one table out of the zip of each target's newest complete run."""
    pages = [file for file in site.below("files") if file["name"].endswith("mriqc.qa.html")]
    wanted = sorted(hashlib.sha256(content_of(site.site, file)).hexdigest() for file in pages)
    there = [path for path in (site.data / "qa").rglob("*") if path.is_file()]
    assert sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in there) == wanted
    complete: dict[str, set[str]] = {RECON: set(), BIDS: set()}
    for row in site.below("analyses"):
        job = site.site.jobs.rows.get(row.get("job") or "")
        gear = job["gear_info"]["name"] if job is not None and job["state"] == "complete" else ""
        level, levels = row["parent"]["type"], ("project", "subject", "session")
        if (gear, level) in ((RECON, "subject"), (BIDS, "session")):
            complete[gear].add("/".join([*site.above(row, *levels[: levels.index(level) + 1]), "aseg.stats"]))
    assert complete[RECON] | complete[BIDS]
    assert site.files("freesurfer") == complete[RECON] | complete[BIDS]
    for path in (site.data / "freesurfer").rglob("aseg.stats"):
        assert "BrainSegVol, 1164204.0" in path.read_text()


def uploads(site: Site) -> None:
    """The sheet is on each project, in one version."""
    sheet = (SHIPPED.parent / "files" / "protocol.txt").read_bytes()
    for project in site.projects:
        file = find_file(site.site, project, "protocol.txt")
        assert file is not None
        assert (content_of(site.site, file), file["version"]) == (sheet, 1)


def containers(site: Site) -> None:
    """A subject, a session and a scan for each row of the table, where the project is there."""
    rows = pd.read_csv(SHIPPED.parent / "files" / "subjects.csv", dtype=str)
    pilot = [row for row in site.site.projects.rows.values() if (row["group"], row["label"]) == ("demo", "pilot")]
    scans = [
        (*site.above(scan, "subject", "session"), scan["label"], site.site.get("session", scan["session"])["age"])
        for project in pilot
        for scan in site.below("acquisitions", project)
        if scan["label"] == "Struct_T1"
    ]
    wanted = [(row["Subject ID"], "Session1", "Struct_T1", float(row["age"]) * YEAR) for _, row in rows.iterrows()]
    assert sorted(scans) == (sorted(wanted) if pilot else [])


def reports(site: Site) -> None:
    """Ages, who has what, whose scans were judged, and how MRIQC ended."""
    for project in site.projects:
        sessions, scans = site.below("sessions", project), site.below("acquisitions", project)
        people = site.report(project, "demographics")
        assert len(people) == len(sessions) + sum(
            not any(one["parents"]["subject"] == str(row["_id"]) for one in sessions)
            for row in site.below("subjects", project)
        )
        ages = [one["age"] / YEAR for one in sessions if isinstance(one.get("age"), int | float)]
        told = [float(age) for age in people["age_years"] if age != ""]
        assert sorted(told) == pytest.approx(sorted(age for age in ages if 0 < age <= 120), abs=1e-4)
        assert site.report(project, "overview")["acquisitions"].sum() == len(scans)
        judged = site.report(project, "qc")
        assert set(judged["acquisition"]) <= {row["label"] for row in scans}
        files = {row["name"] for row in site.below("files", project) if "mriqc" in row["name"]}
        assert {name for name in judged["file"] if "mriqc" in name} <= files
        states = site.report(project, "mriqc_status")["status"]
        ran = {
            str(job["parents"]["session"])
            for job in site.below("jobs", project)
            if job["gear_info"]["name"] == "mriqc" and job["parents"].get("session")
        }
        assert (states != "never").sum() == len(ran)


CHECKS: dict[str, Callable[[Site], None]] = {
    **dict.fromkeys(("bold-qc", "t1-qc", "protocol", "recon-all"), quality_protocol_and_launches),
    **dict.fromkeys(("t1-of-the-twenties", "t1-of-the-twenties-by-search", "decades"), collections),
    **dict.fromkeys(("scan-parameters", "region-volumes"), views),
    **dict.fromkeys(("qa-reports", "freesurfer-stats", "bids-freesurfer-stats"), downloads),
    "protocol-sheet": uploads,
    "subjects-from-table": containers,
    **dict.fromkeys(("reports", "mriqc-status"), reports),
}
"""Shipped rule → what holds its work against the data."""


def shipped_rules() -> Iterable[Doc]:
    """The shipped rules on Flywheel as they are written."""
    for path in sorted(SHIPPED.glob("*.yaml")):
        yield from read_yaml(path.read_text("utf-8"), path.name).root.get("rules") or ()


def tree(folder: Path) -> dict[str, tuple[str, int]]:
    """Hash and time of change of what was written to the disk, the daemon's own files apart."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(("ledger", "flyball.")) and "plots" not in path.parts
    }


def test_each_shipped_rule_has_tests_of_its_own_and_a_check_here() -> None:
    """`recon-all-by-session` is `recon-all` once more."""
    rules = list(shipped_rules())
    assert {rule["id"] for rule in rules} == CHECKS.keys() | {"recon-all-by-session"}
    assert [rule["id"] for rule in rules if not rule.get("tests")] == []


@pytest.mark.parametrize(("scenario", "dialect"), [("lab", "live19"), ("tutorial", "v23")])
async def test_all_examples_run_and_do_nothing_twice(scenario: str, dialect: str, tmp_path: Path) -> None:
    """Live and together; then a fresh daemon finds nothing to plan, to attempt, to send or to write."""
    async with Sandbox(Scenario.named(scenario, dialect=dialect, jobs=QUICK_JOBS)) as box:
        config = write_lab(tmp_path, box.key)
        live(config)
        for _ in range(WAVES):
            async with opened(config) as daemon:
                assert await daemon.run_until_idle()
                quiet = not daemon.crew.tally.attempts
            if quiet:
                break
        assert quiet
        site = Site(box, tmp_path / "var")
        for check in dict.fromkeys(CHECKS.values()):
            check(site)
        before = tree(tmp_path / "var")
        box.requests.clear()
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
            assert not daemon.crew.tally.attempts
            told = await plan(daemon.store, daemon.dispatcher, list(daemon.rules.rules), daemon.clock.now())
        assert told["effects"] == []
        assert [one for one in box.requests.last if one.method != "GET" and "search" not in one.path] == []
        assert tree(tmp_path / "var") == before
