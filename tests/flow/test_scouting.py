"""Neuroscout analyses end to end, on the emulated server: made by name, compiled, found again, kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened
from support.scout import CELLS, MATRIX, QUICK, made, names_of, write_scout_lab


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """Both emulated sites, the Neuroscout server a quick one."""
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": QUICK})) as sandbox:
        yield sandbox


async def effects(daemon: Daemon, **filters: Any) -> list[dict[str, Any]]:
    """Effects of the ledger, newest first."""
    return list((await History(daemon.store).effects(limit=1000, **filters))["results"])


async def test_a_matrix_becomes_one_compiled_analysis_a_cell_and_the_second_run_adds_nothing(
    box: Sandbox, tmp_path: Path
) -> None:
    """Six cells, six analyses that passed; run again, and again without the ledger, nothing is made."""
    config = write_scout_lab(tmp_path, box, MATRIX)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        done = await effects(daemon)
    assert {one["state"] for one in done} == {"done"}, [one["error"] for one in done]
    assert names_of(box) == dict.fromkeys(CELLS, 1)
    assert {row.status for row in made(box)} == {"PASSED"}
    before = dict(box.scout_requests.by_method)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    assert box.scout_requests.by_method["POST"] == before["POST"] + 1  # the login
    (tmp_path / "var" / "ledger.sqlite").unlink()
    for path in (tmp_path / "var").glob("*"):
        path.unlink()
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    assert names_of(box) == dict.fromkeys(CELLS, 1)


UPLOAD = """
rules:
  - id: food
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {film: [raiders]}
    do:
      - neuroscout.predictors:
          name: "{{ film }} food"
          dataset: Raiders
          files:
            - {file: "food_raiders1.tsv", runs: {number: 1, subjects: [rid000001, rid000002]}}
            - {file: "food_raiders2.tsv", runs: {number: 2}}
          descriptions: {grapes: instances of grapes}
      - neuroscout.analysis:
          name: "grapes in {{ film }}"
          dataset: Raiders
          runs: [1, 2]
          predictors: ["{{ film }} food/grapes", rmse]
          hrf: ["{{ film }} food/grapes"]
          report: true
          bundle: bundles
"""
EVENTS = "onset\tduration\tgrapes\tapples\n0\t1\t1\t0\n2\t1\t0\tn/a\n4\t1\t1\t1\n"


async def test_custom_predictors_are_uploaded_and_the_analysis_that_needs_them_waits(
    box: Sandbox, tmp_path: Path
) -> None:
    """One rule: files checked and uploaded, then an analysis on them, compiled, with bundle and reports."""
    config = write_scout_lab(tmp_path, box, UPLOAD)
    for number in (1, 2):
        (config / f"food_raiders{number}.tsv").write_text(EVENTS)
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        done = {one["kind"]: one for one in await effects(daemon)}
    assert {one["state"] for one in done.values()} == {"done"}, [one["error"] for one in done.values()]
    collection = next(iter(box.scout.collections.values()))
    assert collection.name.startswith("raiders food [fb-")
    upload, analysis = done["neuroscout.predictors"], done["neuroscout.analysis"]
    assert set(upload["outcome"]["predictors"]) == {"grapes", "apples"}
    assert upload["outcome"]["notes"] == [
        f"food_raiders{n}.tsv: rows with n/a are left out (apples 1 of 3)" for n in (1, 2)
    ]
    row = made(box)[0]
    assert row.status == "PASSED"
    assert row.model["Steps"][0]["Model"]["X"] == ["grapes", "rmse"]
    assert row.model["Steps"][0]["Transformations"] == [{"Name": "Convolve", "Input": ["grapes"]}]
    assert upload["outcome"]["predictors"]["grapes"] in row.predictors
    assert (tmp_path / "var" / analysis["outcome"]["bundle_saved"]).read_bytes()[:2] == b"\x1f\x8b"
    assert analysis["outcome"]["report"]
