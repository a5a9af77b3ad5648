"""The main job on an emulated site, in both dialects: what the shipped rules demand is there afterwards, and no more."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.asking import plan
from flyball.ledger.history import History
from flyball.rules.keys import suffix
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import find_file
from flyball.sandbox.metadata import add_tag, change_file_info
from support.lab import NOTES, QUICK_JOBS, opened, write_lab, writes
from support.truth import compare, expected_launches, expected_quality_tags, of_site


@pytest.fixture(params=["v23", "live19"])
async def box(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    """The lab's site, speaking one dialect."""
    async with Sandbox(Scenario.named("lab", dialect=request.param, jobs=QUICK_JOBS)) as sandbox:
        yield sandbox


async def _all_effects(daemon: Daemon) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = (await History(daemon.store).effects(limit=1000))["results"]
    return page


async def test_tags_notes_and_launches_are_those_that_the_rules_demand(box: Sandbox, tmp_path: Path) -> None:
    """After one run the site shows exactly what an independent reading of its data demands, and the launches' marks."""
    async with opened(write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})) as daemon:
        assert await daemon.run_until_idle()
    lab = of_site(box.site)
    assert not compare(lab, notes=True)
    made = lab.launched()
    assert made.keys() == expected_launches(lab).keys()
    for runs in made.values():
        (run,) = runs
        keys = [tag for tag in run.tags if tag.startswith("fb-")]
        assert run.label.endswith(suffix(keys[0]))
        assert run.once_key in (keys[0], None if box.site.speech.name == "live19" else keys[0])


async def test_a_second_run_changes_nothing(box: Sandbox, tmp_path: Path) -> None:
    """The ledger remembers: the same data again asks for no write at all."""
    config = write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
    async with opened(config) as daemon:
        await daemon.run_until_idle()
    box.requests.clear()
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        assert not daemon.crew.tally.attempts
    assert writes(box) == 0


async def test_a_lost_ledger_launches_nothing_twice(box: Sandbox, tmp_path: Path) -> None:
    """The once-key is on the site: a daemon that knows nothing finds it there."""
    async with opened(write_lab(tmp_path / "first", box.key)) as daemon:
        await daemon.run_until_idle()
    before = len(box.site.analyses.rows)
    async with opened(write_lab(tmp_path / "second", box.key)) as daemon:
        await daemon.run_until_idle()
    assert len(box.site.analyses.rows) == before
    assert not compare(of_site(box.site))


async def test_plan_lists_what_run_then_does(box: Sandbox, tmp_path: Path) -> None:
    """`plan` and the first run agree, effect for effect, on dirty data."""
    config = write_lab(tmp_path, box.key)
    async with opened(config) as daemon:
        await daemon.look()
        planned = await plan(daemon.store, daemon.dispatcher, list(daemon.rules.rules), daemon.clock.now())
    async with opened(config) as daemon:
        await daemon.run_until_idle()
        page = await _all_effects(daemon)
    assert page
    assert sorted(effect["summary"] for effect in planned["effects"]) == sorted(row["summary"] for row in page)
    assert sorted(effect["once_key"] for effect in planned["effects"]) == sorted(row["once_key"] for row in page)


async def test_a_tag_goes_when_its_condition_turns_false(box: Sandbox, tmp_path: Path) -> None:
    """A metric that was corrected takes the tag away; a tag that people set stays."""
    config = write_lab(tmp_path, box.key)
    wanted = expected_quality_tags(of_site(box.site))
    ident, tags = next((one, tags) for one, tags in wanted.items() if tags == {"LOW_SNR"})
    acquisition = box.site.get("acquisition", ident)
    add_tag(box.site, "acquisition", acquisition, "PERSONS_OWN")
    async with opened(config) as daemon:
        await daemon.run_until_idle()
    assert set(box.site.get("acquisition", ident)["tags"]) == {*tags, "PERSONS_OWN"}
    for row in [row for row in box.site.files.rows.values() if str(row["parents"].get("acquisition")) == ident]:
        if "mriqc.qa" in row["name"]:
            found = find_file(box.site, acquisition, row["name"])
            assert found is not None
            change_file_info(box.site, found, {"set": {"snr": 9.0, "snr_total": 9.0}})
    async with opened(config) as daemon:
        await daemon.run_until_idle()
    assert box.site.get("acquisition", ident)["tags"] == ["PERSONS_OWN"]


async def test_a_thousand_changes_cost_few_requests(tmp_path: Path) -> None:
    """1,000 acquisitions whose metrics changed are read and decided with at most 50 requests."""
    rules = """
version: 1
rules:
  - id: shadow-qc
    since: all
    mode: shadow
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
"""
    scale = {"sessions": 1000, "acquisitions": 1}
    async with Sandbox(Scenario.of({"scale": scale, "protocol": ["task-rest_run-01"], "users": USERS})) as box:
        async with opened(write_lab(tmp_path, box.key, rules)) as daemon:
            assert await daemon.run_until_idle()
            before, requests = daemon.dispatcher.tally.decided["shadow-qc"], box.requests.total
            decided = sum(before.values())
            for row in list(box.site.files.rows.values()):
                change_file_info(box.site, row, {"set": {"snr": 0.25}})
            assert await daemon.run_until_idle()
            after = daemon.dispatcher.tally.decided["shadow-qc"]
        spent = box.requests.total - requests
    assert sum(after.values()) - decided == 1000
    assert spent <= 50, f"{spent} requests"
    print(f"1000 changed acquisitions decided with {spent} requests")


USERS = {"admin": {"email": "admin@example.org", "firstname": "Ada", "lastname": "Admin"}}
