"""`plan`: what `run` then does, effect for effect; and what an edited rule would change against what it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.asking import plan
from flyball.cli.common import load_lab
from flyball.ledger import reopening, steering
from flyball.ledger.history import History
from flyball.rules.rule import Mode
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import add_tag
from support.lab import QUICK_JOBS, write_lab, writes

Json = dict[str, Any]
QUALITY = """
rules:
  - id: bold-qc
    since: {since}
    mode: {mode}
    each: file
    scope: {{file: "{files}"}}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {{on: acquisition, set: {{{tag}: file.info.snr < {limit}}}}}
"""
RECON = """
rules:
  - id: recon-all
    since: all
    each: subject
    select: {{t1: {{files: "file.type == 'nifti' and file.classification.Measurement == ['T1']", max: {most}}}}}
    if: len(t1) >= 1
    do:
      - launch: {{gear: freesurfer-recon-all, on: subject, inputs: {{anatomical: "t1[0]", "t1w_anatomical_{{n}}": "t1[1:]"}}}}
"""


def quality(**changes: Any) -> str:
    """The rule about BOLD runs."""
    given = {"since": "all", "mode": "live", "files": "*mriqc.qa*", "tag": "LOW_SNR", "limit": 1.0}
    return QUALITY.format(**{**given, **changes})


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site, which is full of dirty data."""
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as sandbox:
        yield sandbox


@asynccontextmanager
async def opened(config: Path, *, only_look: bool = False) -> AsyncIterator[Daemon]:
    """The daemon; or a copy of its ledger, as `plan` has it."""
    lab = load_lab({}, config=config)
    assert not lab.rules.rejected, [str(one) for one in lab.rules.rejected]
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, only_look=only_look) as daemon:
        yield daemon


async def planned(config: Path) -> Json:
    """What `flyball plan` says."""
    async with opened(config, only_look=True) as daemon:
        assert await daemon.look()
        return await plan(daemon.store, daemon.dispatcher, daemon.rules.rules, daemon.clock.now())


async def run(config: Path) -> None:
    """`flyball run --until-idle`."""
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()


async def made(config: Path) -> list[Json]:
    """The ledger's effects, oldest first."""
    async with opened(config, only_look=True) as daemon:
        return list((await History(daemon.store).effects(limit=1000))["results"])[::-1]


def signs(effects: list[Json]) -> Counter[tuple[str, ...]]:
    """What tells effects apart, without what only the ledger knows."""
    return Counter((one["rule"], one["kind"], one["target"]["id"], one["once_key"], one["summary"]) for one in effects)


def paths(entries: list[Json]) -> set[str]:
    """The targets' ids."""
    return {entry["target"]["id"] for entry in entries}


async def test_a_plan_is_what_the_first_run_does(box: Sandbox, tmp_path: Path) -> None:
    """The shipped rules on the lab's dirty data, effect for effect; what follows from effects is a second wave."""
    config = write_lab(tmp_path, box.key)
    before = writes(box)
    told = await planned(config)
    assert writes(box) == before
    assert not (config.parent / "var").exists(), "a plan leaves nothing behind"
    async with opened(config) as daemon:
        await daemon.look()
        while await daemon.dispatcher.step():
            pass
        first = (await History(daemon.store).effects(limit=1000))["results"]
    assert len(first) > 30
    assert signs(told["effects"]) == signs(first)
    assert told["changed"] == []


async def test_a_plan_after_the_run_is_empty(box: Sandbox, tmp_path: Path) -> None:
    """All that was wanted is so."""
    config = write_lab(tmp_path, box.key, quality())
    await run(config)
    told = await planned(config)
    assert (told["effects"], told["changed"]) == ([], [])


async def test_an_edited_cut_off(box: Sandbox, tmp_path: Path) -> None:
    """A stricter rule tags more, a laxer one fewer; the plan says which, and the run does just that."""
    config = write_lab(tmp_path, box.key, quality(limit=1.0))
    await run(config)
    for limit, more in ((2.0, True), (0.5, False)):
        (config / "rules" / "rules.yaml").write_text(quality(limit=limit))
        told = await planned(config)
        (change,) = told["changed"]
        assert change["rule"] == "bold-qc"
        assert bool(change["newly_tagged"]) is more
        assert bool(change["untagged"]) is not more
        assert len(change["newly_tagged"]) + len(change["untagged"]) == len(told["effects"])
        count = len(await made(config))
        await run(config)
        assert signs(told["effects"]) == signs((await made(config))[count:])
        tagged = sum("LOW_SNR" in row["tags"] for row in box.site.acquisitions.rows.values())
        assert change["kept"] + len(change["newly_tagged"]) == tagged


@pytest.mark.parametrize(
    ("edit", "moved"),
    [
        ({"tag": "POOR_SNR"}, ("newly_tagged", "untagged")),
        ({"files": "*nothing*"}, ("untagged",)),
    ],
    ids=["another tag", "out of scope"],
)
async def test_an_edit_that_takes_tags_away(
    box: Sandbox, tmp_path: Path, edit: dict[str, str], moved: tuple[str, ...]
) -> None:
    """Those of targets that the rule is not about any more as well."""
    config = write_lab(tmp_path, box.key, quality())
    await run(config)
    before = len(await made(config))
    (config / "rules" / "rules.yaml").write_text(quality(**edit))
    told = await planned(config)
    (change,) = told["changed"]
    assert {name: len(change[name]) for name in moved} == dict.fromkeys(moved, before)
    await run(config)
    assert signs(told["effects"]) == signs((await made(config))[before:])
    assert (await planned(config))["effects"] == []


async def test_an_edit_that_launches_more(box: Sandbox, tmp_path: Path) -> None:
    """With other inputs it is another launch; subjects with one T1 are left as they are."""
    config = write_lab(tmp_path, box.key, RECON.format(most=1))
    await run(config)
    (config / "rules" / "rules.yaml").write_text(RECON.format(most=5))
    told = await planned(config)
    (change,) = told["changed"]
    assert change["newly_launched"]
    assert paths(change["newly_launched"]) == paths(told["effects"])
    assert change["kept"] > 0


async def test_an_edit_of_a_rule_that_was_backfilled(box: Sandbox, tmp_path: Path) -> None:
    """Old data that a person made its business is decided again, however old it is."""
    config = write_lab(tmp_path, box.key, quality(since="now"))
    async with opened(config) as daemon:
        await daemon.run_until_idle()
        rule = daemon.dispatcher.rules["bold-qc"]
        await daemon.store.write(
            partial(reopening.backfill, rule="bold-qc", site="main", level=rule.each, now=daemon.clock.now())
        )
        await daemon.run_until_idle()
    before = len(await made(config))
    assert before >= 3
    (config / "rules" / "rules.yaml").write_text(quality(since="now", tag="POOR_SNR"))
    await run(config)
    tags = [set(row["tags"]) & {"LOW_SNR", "POOR_SNR"} for row in box.site.acquisitions.rows.values()]
    assert Counter(map(frozenset, tags))[frozenset({"POOR_SNR"})] == before
    assert not any("LOW_SNR" in one for one in tags)


@pytest.mark.parametrize(("mode", "state"), [(Mode.SHADOW, "shadow"), (Mode.APPROVE, "held"), (Mode.LIVE, "planned")])
async def test_effects_begin_as_the_mode_says(box: Sandbox, tmp_path: Path, mode: Mode, state: str) -> None:
    """So that a plan of a rule in shadow is not taken for work."""
    told = await planned(write_lab(tmp_path, box.key, quality(mode=str(mode))))
    assert {one["state"] for one in told["effects"]} == {state}


async def test_a_paused_rule_plans_nothing(box: Sandbox, tmp_path: Path) -> None:
    """By its file, or by a person."""
    config = write_lab(tmp_path, box.key, quality())
    async with opened(config) as daemon:
        await daemon.store.write(partial(steering.pause, ident="bold-qc", now=daemon.clock.now()))
    told = await planned(config)
    assert (told["effects"], list(told["held"])) == ([], ["paused"])


async def test_what_people_set_is_no_part_of_a_plan(box: Sandbox, tmp_path: Path) -> None:
    """A tag that is there already is neither set nor, after an edit, removed."""
    config = write_lab(tmp_path, box.key, quality())
    wanted = {one["params"]["container"]["id"] for one in (await planned(config))["effects"]}
    theirs = min(wanted)
    add_tag(box.site, "acquisition", box.site.get("acquisition", theirs), "LOW_SNR")
    told = await planned(config)
    assert {one["params"]["container"]["id"] for one in told["effects"]} == wanted - {theirs}
    await run(config)
    (config / "rules" / "rules.yaml").write_text(quality(tag="POOR_SNR"))
    (change,) = (await planned(config))["changed"]
    assert len(change["untagged"]) == len(wanted) - 1


async def test_a_rule_that_waits_for_its_time_does_nothing_before(box: Sandbox, tmp_path: Path) -> None:
    """Neither at its first sight, on an empty ledger or a full one, nor after an edit; a plan says the same, and shows
    what it would do when it is asked for.
    """
    yearly = quality(tag="YEARLY").replace("    each: file", '    trigger: {schedule: "0 0 1 1 *"}\n    each: file')
    config = write_lab(tmp_path, box.key, yearly)
    for text in (yearly, yearly.replace("bold-qc", "another"), yearly.replace("YEARLY", "EDITED")):
        (config / "rules" / "rules.yaml").write_text(text)
        told = await planned(config)
        assert (told["effects"], told["decisions"]["yes"]) == ([], 0)
        assert told["held"]["trigger"] > 0
        await run(config)
    assert writes(box) == 0
    async with opened(config, only_look=True) as daemon:
        assert await daemon.look()
        rules, now = daemon.rules.rules, daemon.clock.now()
        assert (await plan(daemon.store, daemon.dispatcher, rules, now, whenever=True))["effects"] != []
