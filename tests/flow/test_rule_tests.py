"""`flyball test --record`: a target of an emulated site becomes a test that tells nothing of who it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import add_note, change_file_info
from support.lab import write_lab, writes
from support.process import command

RULES = """\
version: 1
rules:
  - id: qc
    since: all
    settle: 1h
    mode: shadow
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
    tests:
      - given: {file: {name: a_mriqc.qa.html, classification: {Measurement: ["T2*"]}, info: {snr: 0.8}}}
        expect: {decision: yes, effects: [{kind: tag, tag: LOW_SNR}]}
        name: little signal
"""


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site."""
    async with Sandbox(Scenario.named("lab")) as sandbox:
        yield sandbox


def is_report(row: dict[str, Any]) -> bool:
    measured = (row.get("classification") or {}).get("Measurement") or ()
    return "mriqc.qa" in row["name"] and "T2*" in measured


async def test_a_recorded_target_becomes_a_test(box: Sandbox, tmp_path: Path) -> None:
    """Nothing that tells who it was is printed, nothing is written on the site, and the rule decides the same."""
    config = write_lab(tmp_path, box.key, RULES)
    site = box.site
    row = next(row for row in site.files.rows.values() if is_report(row))
    above = {level: str(row["parents"][level]) for level in ("subject", "session", "acquisition")}
    subject = site.get("subject", above["subject"])
    add_note(site, "session", site.get("session", above["session"]), "very anxious", "admin@example.org")
    personal = {
        "PatientName": "Sonnenschein^Annegret",
        "PatientBirthDate": "19840517",
        "StudyInstanceUID": "1.2.840.113619.2.55",
        "OperatorsName": "Olafson",
        "contact": "olafson@hospital.example",
    }
    change_file_info(site, row, {"set": {"snr": 0.7, **personal}})
    box.requests.clear()
    arguments = ("--config", str(config), "test", "--record", str(row.get("file_id") or row["_id"]), "--rule", "qc")
    done = await asyncio.to_thread(command, *arguments, folder=config.parent)
    assert done.process.returncode == 0, done.err
    assert writes(box) == 0
    said = (done.out + done.err).lower()
    for word in (*personal.values(), subject["label"], "sonnenschein", "anxious", *above.values()):
        assert str(word).lower() not in said
    assert "snr: 0.7" in done.out
    assert 'decision: "yes"' in done.err

    (config / "documents").mkdir()
    (config / "documents" / "noisy.yaml").write_text(done.out)
    test = "      - given: documents/noisy.yaml\n        expect: {decision: yes, effects: [{kind: tag, on: acquisition}]}\n"
    (config / "rules" / "rules.yaml").write_text(RULES + test)
    again = await asyncio.to_thread(command, "--config", str(config), "test", folder=config.parent)
    assert (again.process.returncode, again.out.splitlines()[-1]) == (0, "2 passed")


async def test_what_no_rule_looks_at(box: Sandbox, tmp_path: Path) -> None:
    """Without a rule at its level nobody knows what to keep."""
    config = write_lab(tmp_path, box.key, RULES)
    project = next(iter(box.site.projects.rows))
    arguments = ("--config", str(config), "test", "--record", str(project))
    done = await asyncio.to_thread(command, *arguments, folder=config.parent)
    assert done.process.returncode == 2
    assert f"'{project}' is a project, and no rule meant looks at one: qc (file)" in done.err
    arguments = ("--config", str(config), "test", "--record", "scien/tome/nobody")
    done = await asyncio.to_thread(command, *arguments, folder=config.parent)
    assert (done.process.returncode, done.out) == (1, "")
