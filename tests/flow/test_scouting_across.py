"""Across the two sites: an events file that a gear left on Flywheel becomes predictors and an analysis on Neuroscout."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import put_file
from support.lab import opened
from support.scout import QUICK, made, write_scout_lab

SHIPPED = Path(__file__).parents[2] / "config" / "rules" / "neuroscout" / "predictors.yaml"
EVENTS = b"onset\tduration\tfaces\n3.5\t2\t1\n10\t1.5\t0\n60\t4\t1\n"


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """Both emulated sites, the Neuroscout server a quick one."""
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": QUICK})) as sandbox:
        yield sandbox


def shipped_chain() -> str:
    """The shipped rule across the two sites, alone."""
    text = SHIPPED.read_text()
    return "rules:\n" + text[text.index("  # A finished gear job") :]


def left_by_a_gear(box: Sandbox, content: bytes, **info: Any) -> None:
    """A gear job leaves an events file on an acquisition."""
    acquisition = next(iter(box.site.acquisitions.rows.values()))
    origin = {"type": "job", "id": "6a00000000000000000000b1"}
    known = {"dataset": "Raiders", "task": "raiders", "run": 1, **info}
    name = "raiders_run-1_events.tsv"
    put_file(box.site, "acquisition", acquisition, name, content=content, origin=origin, info=known)


async def test_events_of_a_gear_become_predictors_and_a_compiled_analysis(box: Sandbox, tmp_path: Path) -> None:
    """The shipped rule: the file is read from Flywheel, checked, uploaded; the analysis waits for it and passes."""
    left_by_a_gear(box, EVENTS)
    config = write_scout_lab(tmp_path, box, shipped_chain())
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        effects = (await History(daemon.store).effects(limit=100))["results"]
    assert {one["kind"]: one["state"] for one in effects} == {
        "neuroscout.predictors": "done",
        "neuroscout.analysis": "done",
    }, [one["error"] for one in effects]
    assert {one["target"]["level"] for one in effects} == {"file"}
    (collection,) = box.scout.collections.values()
    (analysis,) = made(box)
    assert analysis.status == "PASSED"
    assert analysis.model["Steps"][0]["Model"]["X"] == ["faces", "rmse"]
    runs = {box.scout.runs[run].number for run in analysis.runs}
    assert (collection.status, runs) == ("OK", {1})
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    assert (len(box.scout.collections), len(made(box))) == (1, 1)
    left_by_a_gear(box, EVENTS.replace(b"60", b"61"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
    assert (len(box.scout.collections), len(made(box))) == (2, 2)
    own = [ident for ident, predictor in box.scout.predictors.items() if predictor.owner is not None]
    assert [max(own) in row.predictors for row in made(box)].count(True) == 1


@pytest.mark.parametrize(
    ("content", "info", "words"),
    [
        (EVENTS.replace(b"\t", b","), {}, "separated by commas"),
        (b"onset\tfaces\n1\t1\n", {}, "no column `duration`"),
        (EVENTS, {"run": 99}, "there is no run number '99'"),
    ],
    ids=["commas", "no duration", "unknown run"],
)
async def test_a_bad_file_is_told_and_nothing_is_uploaded(
    box: Sandbox, tmp_path: Path, content: bytes, info: dict[str, Any], words: str
) -> None:
    """The fault is in the error of the upload; the analysis fails for the lack of it, and the server has neither."""
    left_by_a_gear(box, content, **info)
    async with opened(write_scout_lab(tmp_path, box, shipped_chain())) as daemon:
        await daemon.run_until_idle()
        effects = {one["kind"]: one for one in (await History(daemon.store).effects(limit=100))["results"]}
    assert {one["state"] for one in effects.values()} == {"failed"}
    assert words in effects["neuroscout.predictors"]["error"]
    assert not box.scout.collections
    assert not made(box)
