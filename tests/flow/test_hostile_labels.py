"""Labels that harm the careless, from the site through the ledger to page, tables, logs, messages and files."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from support.lab import QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram, command
from support.receiver import Receiver
from support.truth import compare, expected_incomplete, over_http

HOSTILE = [
    "../x",
    "../../../../etc/passwd",
    "<b>bold</b>",
    "<script>alert(1)</script>",
    "=cmd()",
    "+1+1",
    "@SUM(A1)",
    "\x1b[31mred\x1b[0m",
    "tab\there",
    "new\nline",
    "'; DROP TABLE effects; --",
    "{{ 7 * 7 }}",
    "{% for x in range(10) %}y{% endfor %}",
    "%s%n%d",
    "a,b=c",
    "1001",
    "null",
    "\u202egnp.exe",
    "Übung 名前 🧠",
    "x" * 300,
]


@dataclass(frozen=True, slots=True)
class Worked:
    """A daemon that has done its work on such a site."""

    folder: Path
    config: Path
    box: SandboxProgram
    daemon: DaemonProgram
    receiver: Receiver


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worked]:
    """Every label stands on a subject, on a session and on a scan; every session lacks scans."""
    folder = tmp_path_factory.mktemp("hostile")
    lacks = ["inplaneT2", "task-rest_run-04"]
    subjects = [
        {"label": label, "sessions": [{"label": label, "days_ago": 5, "lacks": lacks, "extra": [f"{label} BOLD"]}]}
        for label in HOSTILE
    ]
    scenario = {
        "jobs": QUICK_JOBS,
        "launches": [],
        "projects": [{"group": "scien", "label": "<img src=x onerror=alert(1)>", "days_ago": 9, "subjects": subjects}],
    }
    with Receiver() as receiver, SandboxProgram(folder / "site", scenario) as box:
        channels = {"lab": {"kind": "webhook", "url": receiver.url}}
        config = write_lab(folder / "lab", box.key, notify="lab", channels=channels)
        with DaemonProgram(config) as daemon:
            daemon.idle()
            yield Worked(folder / "lab", config, box, daemon, receiver)


def test_the_work_is_done_all_the_same(worked: Worked) -> None:
    """Every subject is launched, every session tagged, everybody told."""
    lab = over_http(worked.box.api)
    assert not compare(lab)
    assert len(lab.launched()) == len(HOSTILE)
    assert len(expected_incomplete(lab)) == len(HOSTILE)
    assert worked.daemon.status()["effects"]["failed"] == 0


def test_answers_and_page(worked: Worked) -> None:
    """The API gives labels as they are, as JSON that no browser takes for a page; the page itself holds none."""
    answer = worked.daemon.ask("/api/effects?limit=1000")
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.headers["x-content-type-options"] == "nosniff"
    paths = " ".join(row["target"]["path"] for row in answer.json()["results"])
    for label in HOSTILE:
        assert label in paths
    page = worked.daemon.ask("/")
    assert "alert(1)" not in page.text
    assert "unsafe-inline" not in page.headers["content-security-policy"]


def test_targets_are_found_by_their_paths(worked: Worked) -> None:
    """Slashes and all."""
    for label in HOSTILE:
        path = f"scien/<img src=x onerror=alert(1)>/{label}/{label}"
        answer = worked.daemon.ask(f"/api/why?rule=protocol&target={quote(path, safe='')}")
        if not label.isprintable():
            assert answer.status == 400, label
            continue
        assert answer.status == 200, f"{label}: {answer.text}"
        assert answer.json()["target"]["path"] == path
        assert answer.json()["decision"] == "yes"


def test_messages_say_the_label_and_run_nothing(worked: Worked) -> None:
    """Templates render labels, and do not render what stands in them."""
    titles = {str(message.body["title"]) for message in worked.receiver.messages}
    assert len(titles) == len(HOSTILE)
    assert any("{{ 7 * 7 }}" in title for title in titles)
    assert not any(" 49 " in f" {title} " for title in titles)


def test_log_lines_stay_lines(worked: Worked) -> None:
    """Every line of the log is one JSON object: no label begins a line of its own."""
    lines = worked.daemon.err.splitlines()
    assert len(lines) > len(HOSTILE)
    for line in lines:
        assert isinstance(json.loads(line), dict)
        assert "\x1b" not in line


def test_tables_stay_tables(worked: Worked) -> None:
    """One line an effect, the same number of columns in each, no control characters; CSV reads back as it was."""
    listed = command("--config", str(worked.config), "effects", folder=worked.folder)
    assert listed.process.returncode == 0, listed.err
    lines = listed.out.rstrip("\n").split("\n")
    assert len(lines) == len(worked.daemon.ask("/api/effects?limit=1000").json()["results"])
    for line in lines:
        assert line.count("\t") == 5
        assert all(part.isprintable() for part in line.split("\t"))
    found = command("--config", str(worked.config), "find", "sessions", "--csv", folder=worked.folder)
    rows = list(csv.DictReader(found.out.splitlines(keepends=True)))
    assert sorted(row["label"] for row in rows) == sorted(HOSTILE)


def test_no_file_lies_elsewhere(worked: Worked) -> None:
    """Labels name no files: all that was written is in the data folder, under names of ours."""
    written = {path.name for path in (worked.folder / "var").rglob("*")}
    assert written <= {"ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm", "flyball.lock"}
    assert {path.name for path in worked.folder.iterdir()} >= {"config", "var"}
    beside = [path for path in worked.folder.iterdir() if path.name not in ("config", "var", ".config", ".cache")]
    assert all(path.suffix in (".out", ".err") for path in beside), beside
