"""Reports on an emulated site: on disk and on the project, compared with an independent reading of the site's data;
twice in a row without a second effect, and anew when something changed.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from flyball.app import Daemon
from flyball.asking import plan
from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import add_tag, change_file_info
from support.lab import QUICK_JOBS, opened, write_lab, writes

RULES = """
version: 1
rules:
  - id: reports
    since: all
    each: project
    scope: {project: "scien/tome"}
    do:
      - report: {kind: demographics, format: csv, to: [disk, project]}
      - report: {kind: overview, format: csv}
      - report: {kind: qc, format: csv}
      - report: {kind: gear-status, gear: mriqc, format: csv}
"""
YEAR = 31_557_600


@pytest.fixture(params=["v23", "live19"])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """The lab's site, speaking one dialect."""
    async with Sandbox(Scenario.named("lab", dialect=request.param, jobs=QUICK_JOBS)) as sandbox:
        yield sandbox


def project_of(box: Sandbox, label: str = "tome") -> str:
    """A project's id."""
    return next(ident for ident, doc in box.site.projects.rows.items() if doc["label"] == label)


def read(config: Path, name: str) -> pd.DataFrame:
    """A report's CSV."""
    return pd.read_csv(config.parent / "var" / "reports" / "scien" / name, keep_default_na=False)


async def effects(daemon: Daemon) -> list[dict[str, Any]]:
    """All effects, the oldest first."""
    page = await History(daemon.store).effects(limit=1000)
    return list(reversed(page["results"]))


async def test_they_say_what_the_site_has(box: Sandbox, tmp_path: Path) -> None:
    """Each CSV against the site's own tables."""
    config = write_lab(tmp_path, box.key, RULES)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        made = await effects(daemon)
    assert [one["state"] for one in made] == ["done"] * 4
    site, project = box.site, project_of(box)
    subjects = {ident: doc for ident, doc in site.subjects.rows.items() if doc["parents"]["project"] == project}
    sessions = {ident: doc for ident, doc in site.sessions.rows.items() if doc["parents"]["project"] == project}
    runs = {ident: doc for ident, doc in site.acquisitions.rows.items() if doc["parents"]["project"] == project}

    people = read(config, "tome_demographics.csv")
    assert list(people.columns[:2]) == ["subject", "session"]
    assert sorted(zip(people.subject, people.session, strict=True)) == sorted(
        (subjects[doc["parents"]["subject"]]["label"], doc["label"]) for doc in sessions.values()
    )
    first = [
        min((doc["timestamp"], doc["age"]) for doc in sessions.values() if doc["parents"]["subject"] == ident)[1] / YEAR
        for ident in subjects
    ]
    numbers = made[0]["outcome"]["numbers"]
    assert numbers["age"]["mean"] == pytest.approx(np.mean(first))
    assert numbers["age"]["sd_population"] == pytest.approx(np.std(first))
    assert numbers["sex"]["female"]["n"] == sum(doc["sex"] == "female" for doc in subjects.values())

    who = read(config, "tome_overview.csv").set_index(["subject", "session"])
    for ident, doc in sessions.items():
        labels = [run["label"] for run in runs.values() if run["parents"]["session"] == ident]
        row = who.loc[(subjects[doc["parents"]["subject"]]["label"], doc["label"])]
        assert int(row["acquisitions"]) == len(labels)
        assert all(int(row[label]) == labels.count(label) for label in set(labels))

    quality = read(config, "tome_qc.csv").set_index(["subject", "session", "acquisition"])
    for (subject, session, label), row in quality.iterrows():
        del subject, session
        mine = [
            file
            for run in runs.values()
            if run["label"] == label
            for file in run["files"]
            if file["name"] == row["file"]
        ]
        info = [file["info"].get("IQM", file["info"]) for file in mine]
        told = row["snr"] if row["type"] == "BOLD" else row["snr_total"]
        name = "snr" if row["type"] == "BOLD" else "snr_total"
        assert told == "" or any(one.get(name) == float(told) for one in info), (label, row)
    assert (quality["reports"] == 2).sum() == 1

    status = read(config, "tome_mriqc_status.csv").set_index(["subject", "session"])
    for ident, doc in sessions.items():
        jobs = [
            job
            for job in site.jobs.rows.values()
            if job["gear_info"]["name"] == "mriqc" and job["parents"].get("session") == ident
        ]
        row = status.loc[(subjects[doc["parents"]["subject"]]["label"], doc["label"])]
        assert int(row["runs"]) == len(jobs)
        assert row["status"] == (max(jobs, key=lambda job: job["created"])["state"] if jobs else "never")


async def test_twice_makes_nothing_twice_and_a_restart_neither(box: Sandbox, tmp_path: Path) -> None:
    """The file that a report puts on its project is no reason for another one."""
    config = write_lab(tmp_path, box.key, RULES)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        before = writes(box)
        assert await daemon.run_until_idle()
        assert (await plan(daemon.store, daemon.dispatcher, daemon.rules.rules, daemon.clock.now()))["effects"] == []
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        assert len(await effects(daemon)) == 4
    assert writes(box) == before
    (file,) = [one for one in box.site.projects.rows[project_of(box)]["files"] if one["name"].endswith(".csv")]
    assert file["name"] == "tome_demographics.csv"
    there = (config.parent / "var" / "reports" / "scien" / "tome_demographics.csv").read_bytes()
    assert file["size"] == len(there)


async def test_a_lost_ledger_sends_no_second_version(box: Sandbox, tmp_path: Path) -> None:
    """The content on the site is compared first."""
    config = write_lab(tmp_path, box.key, RULES)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    before = writes(box)
    for name in ("ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"):
        (config.parent / "var" / name).unlink(missing_ok=True)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        made = await effects(daemon)
    assert writes(box) == before
    assert [one["outcome"].get("already") for one in made] == [True] * 4


async def test_a_change_makes_those_anew_that_read_it(box: Sandbox, tmp_path: Path) -> None:
    """A metric: the `qc` report, and no other; a tag: none. What was so before, and is so again, is written again."""
    config = write_lab(tmp_path, box.key, RULES)
    folder = config.parent / "var" / "reports" / "scien"
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        before = hashlib.sha256((folder / "tome_qc.csv").read_bytes()).hexdigest()
        run, file, old = next(
            (run, file, file["info"]["snr"])
            for run in box.site.acquisitions.rows.values()
            if run["parents"]["project"] == project_of(box)
            for file in run["files"]
            if isinstance(file["info"].get("snr"), float) and "mriqc" in file["name"]
        )
        add_tag(box.site, "acquisition", run, "SEEN")
        assert await daemon.run_until_idle()
        assert len(await effects(daemon)) == 4
        for value, number in ((9.5, 5), (old, 6)):
            change_file_info(box.site, file, {"set": {"snr": value}})
            assert await daemon.run_until_idle()
            made = await effects(daemon)
            assert len(made) == number
            assert made[-1]["params"]["report"] == "qc"
            text = (folder / "tome_qc.csv").read_text()
            assert ("9.5" in pd.read_csv(io.StringIO(text), dtype=str)["snr"].tolist()) == (value == 9.5)
    assert hashlib.sha256((folder / "tome_qc.csv").read_bytes()).hexdigest() == before


async def test_fields_that_the_site_does_not_have_cost_few_requests(tmp_path: Path) -> None:
    """Sex and age that no list shows are looked for on some subjects and sessions, and not on each."""
    rule = RULES.replace("scien/tome", "*/*").partition("      - report: {kind: overview")[0].replace(", project]", "]")
    scale = {"sessions": 300, "acquisitions": 1}
    users = {"admin": {"email": "admin@example.org", "firstname": "Ada", "lastname": "Admin"}}
    async with Sandbox(Scenario.of({"scale": scale, "protocol": ["T1w"], "users": users})) as box:
        for row in (*box.site.subjects.rows.values(), *box.site.sessions.rows.values()):
            row.pop("sex", None)
            row.pop("age", None)
        async with opened(write_lab(tmp_path, box.key, rule)) as daemon:
            assert await daemon.run_until_idle()
            (made,) = await effects(daemon)
        assert made["outcome"]["numbers"]["age"]["missing"] == made["outcome"]["numbers"]["subjects"] > 100
        single = [one.path for one in box.requests.last if one.path.startswith(("/subjects/", "/sessions/"))]
    assert len(single) <= 2 * 20
