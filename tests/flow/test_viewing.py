"""`view` on the emulated site: per project and joined, on disk and on the project, current and never twice."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import content_of, find_file
from flyball.sandbox.metadata import change_file_info
from support.lab import opened, write_lab, writes

RULE = """
version: 1
rules:
  - id: quality-table
    since: all
    each: project
    scope: {project: scien/*}
    do:
      - view:
          label: quality
          container: acquisition
          filename: "*mriqc.qa.html"
          match: all
          missing_data_strategy: drop-row
          columns: [project.label, subject.label, session.label, acquisition.label, {src: file.info.snr, dst: SNR}]
          format: FORMAT
          to: [disk, project]
          name: "{{ project.label }}_quality.FORMAT"
          joined: all.FORMAT
"""
Row = tuple[str, ...]


def expected(box: Sandbox, *projects: str) -> list[Row]:
    """Subject, session, acquisition and SNR of each report that has one, from the site's memory."""
    found = []
    for file in box.site.files.rows.values():
        snr, parents = file["info"].get("snr"), file["parents"]
        project = box.site.get("project", parents["project"])
        if not file["name"].endswith("mriqc.qa.html") or snr is None or project["label"] not in projects:
            continue
        labels = [box.site.get(level, parents[level])["label"] for level in ("subject", "session", "acquisition")]
        found.append((project["label"], *labels, str(snr)))
    return sorted(found)


def rows(text: bytes, form: str) -> list[Row]:
    """The rows of a table."""
    names = ("project.label", "subject.label", "session.label", "acquisition.label", "SNR")
    read: list[dict[str, Any]] = (
        list(csv.DictReader(io.StringIO(text.decode(), newline=""))) if form == "csv" else orjson.loads(text)
    )
    return sorted(tuple(str(row[name]) for name in names) for row in read)


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_tables_show_what_the_site_has(dialect: str, form: str, tmp_path: Path) -> None:
    """Each project's table on disk and on the project, one with all rows; the second run asks for nothing."""
    async with Sandbox(Scenario.named("lab", dialect=dialect)) as box:
        config = write_lab(tmp_path, box.key, RULE.replace("FORMAT", form))
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        projects = [row for row in box.site.projects.rows.values() if row["group"] == "scien"]
        for project in projects:
            name = f"{project['label']}_quality.{form}"
            file = find_file(box.site, project, name)
            assert file is not None
            on_disk = (tmp_path / "var" / name).read_bytes()
            assert rows(on_disk, form) == expected(box, project["label"])
            assert content_of(box.site, file) == on_disk
        labels = [project["label"] for project in projects]
        assert expected(box, *labels)
        assert rows((tmp_path / "var" / f"all.{form}").read_bytes(), form) == expected(box, *labels)
        box.requests.clear()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
            assert not daemon.crew.tally.attempts
        assert writes(box) == 0


async def test_a_changed_value_makes_a_new_version(tmp_path: Path) -> None:
    """Of that project's table and of the joined one; the other projects' files stay as they are."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, RULE.replace("FORMAT", "csv"))
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        file = next(
            one
            for one in box.site.files.rows.values()
            if one["name"].endswith("mriqc.qa.html")
            and box.site.get("project", one["parents"]["project"])["label"] == "tome"
            and isinstance(one["info"].get("snr"), float)
        )
        change_file_info(box.site, file, {"set": {"snr": 123.25}})
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert "123.25" in (tmp_path / "var" / "tome_quality.csv").read_text()
        assert "123.25" in (tmp_path / "var" / "all.csv").read_text()
        versions = {
            project["label"]: found["version"]
            for project in box.site.projects.rows.values()
            if (found := find_file(box.site, project, f"{project['label']}_quality.csv")) is not None
        }
        assert versions.pop("tome") == 2
        assert set(versions.values()) == {1}


@pytest.mark.parametrize("kind", ["reset_after", "truncate", "status"])
async def test_views_in_bad_weather(kind: str, tmp_path: Path) -> None:
    """Broken answers end in whole tables."""
    async with Sandbox(Scenario.named("lab")) as box:
        box.faults.add(kind=kind, path="/(views|data_view_executions)", rate=0.3)
        config = write_lab(
            tmp_path, box.key, RULE.replace("FORMAT", "csv") + "    retry: {attempts: 50, backoff: [10ms, 50ms]}\n"
        )
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert rows((tmp_path / "var" / "tome_quality.csv").read_bytes(), "csv") == expected(box, "tome")
