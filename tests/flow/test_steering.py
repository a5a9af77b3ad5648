"""What people steer: undo, forget, backfill, approve, shadow, canary, and rules that are edited while all runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.ledger import reopening, steering
from flyball.ledger.history import History
from flyball.ledger.undoing import undo
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import add_tag
from support.lab import opened, write_lab, writes
from support.truth import expected_quality_tags, of_site

QUICK_JOBS = {"fail_rate": 0, "pending_s": [0, 0], "running_s": [0, 0]}
QUALITY = """
rules:
  - id: bold-qc
    since: {since}
    mode: {mode}
    each: file
    scope: {{file: "*mriqc.qa*"}}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {{on: acquisition, set: {{{tag}: file.info.snr < 1.0}}}}
"""
RECON = """
rules:
  - id: recon-all
    since: all
    each: subject
    select: {{t1: {{files: "file.type == 'nifti' and file.classification.Measurement == ['T1']", max: 5}}}}
    if: len(t1) >= 1
    do:
      - launch: {{gear: freesurfer-recon-all, on: subject, inputs: {{anatomical: "t1[0]"}}, unless_ran: false}}
    limits: {limits}
"""


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site."""
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as sandbox:
        yield sandbox


def quality(since: str = "all", mode: str = "live", tag: str = "LOW_SNR") -> str:
    """The rule about BOLD runs."""
    return QUALITY.format(since=since, mode=mode, tag=tag)


def tagged(box: Sandbox, tag: str) -> set[str]:
    """Ids of the acquisitions that carry a tag."""
    return {str(ident) for ident, row in box.site.acquisitions.rows.items() if tag in row["tags"]}


def low(box: Sandbox) -> set[str]:
    """Acquisitions with a BOLD run of low SNR, by the independent reading; the T1 among them left out."""
    wanted = {ident for ident, tags in expected_quality_tags(of_site(box.site)).items() if "LOW_SNR" in tags}
    return {ident for ident in wanted if box.site.get("acquisition", ident)["label"] != "T1w"}


async def effects(daemon: Daemon, **filters: Any) -> list[dict[str, Any]]:
    """Effects of the ledger, newest first."""
    return list((await History(daemon.store).effects(limit=1000, **filters))["results"])


async def said(daemon: Daemon, work: Any, **params: Any) -> Any:
    """Carry out one steering verb, as the command line does."""
    return await daemon.store.write(partial(work, now=daemon.clock.now(), **params))


async def test_undo_gives_back_what_the_rule_made_and_nothing_else(box: Sandbox, tmp_path: Path) -> None:
    """Tags of ours go, a tag that a person had set before stays, and the rule is paused."""
    wanted = low(box)
    theirs = min(wanted)
    add_tag(box.site, "acquisition", box.site.get("acquisition", theirs), "LOW_SNR")
    async with opened(write_lab(tmp_path, box.key, quality())) as daemon:
        await daemon.run_until_idle()
        assert tagged(box, "LOW_SNR") == wanted
        answer = await said(daemon, undo, rule="bold-qc")
        await daemon.dispatcher.reload_records()
        await daemon.run_until_idle()
    assert answer["queued"] == len(wanted) - 1
    assert tagged(box, "LOW_SNR") == {theirs}


async def test_undo_leaves_launches_and_lists_them(box: Sandbox, tmp_path: Path) -> None:
    """What cannot be taken back is said."""
    async with opened(write_lab(tmp_path, box.key, RECON.format(limits="{}"))) as daemon:
        await daemon.run_until_idle()
        made = len(box.site.analyses.rows)
        answer = await said(daemon, undo, rule="recon-all")
        await daemon.run_until_idle()
    assert len(box.site.analyses.rows) == made
    assert {entry["kind"] for entry in answer["stays"]} == {"launch"}


async def test_forget_lets_one_launch_happen_again(box: Sandbox, tmp_path: Path) -> None:
    """A forgotten once-key is used anew for that target alone; the old run no longer counts as equal."""
    rules = RECON.format(limits="{}").replace("unless_ran: false", "unless_ran: true")
    async with opened(write_lab(tmp_path, box.key, rules)) as daemon:
        await daemon.run_until_idle()
        before = len(box.site.analyses.rows)
        launched = [row for row in await effects(daemon, kind="launch") if not (row["outcome"] or {}).get("equal_run")]
        await said(daemon, reopening.forget, ident=launched[0]["id"])
        await daemon.run_until_idle()
        again = await effects(daemon, kind="launch")
    assert len(box.site.analyses.rows) == before + 1
    assert again[0]["target"] == launched[0]["target"]
    assert again[0]["once_key"] != launched[0]["once_key"]


async def test_since_now_leaves_old_data_until_a_backfill(box: Sandbox, tmp_path: Path) -> None:
    """Old data is not touched; a backfill takes it in, so many at a time, and never twice."""
    wanted = low(box)
    async with opened(write_lab(tmp_path, box.key, quality(since="now"))) as daemon:
        await daemon.run_until_idle()
        assert writes(box) == 0
        rule = daemon.dispatcher.rules["bold-qc"]
        fill = partial(said, daemon, reopening.backfill, rule="bold-qc", site="main", level=rule.each)
        first = await fill(limit=3)
        assert first["queued"] == 3
        rest = await fill()
        assert rest["queued"] == first["left"]
        assert (await fill())["queued"] == 0
        await daemon.run_until_idle()
    assert tagged(box, "LOW_SNR") == wanted


async def test_approve_holds_every_effect_for_a_person(box: Sandbox, tmp_path: Path) -> None:
    """Nothing is written before the yes; then it is."""
    wanted = low(box)
    async with opened(write_lab(tmp_path, box.key, quality(mode="approve"))) as daemon:
        await daemon.run_until_idle()
        held = await effects(daemon, state="held")
        assert writes(box) == 0
        assert len(held) == len(wanted)
        await said(daemon, steering.reject, ident=held[0]["id"])
        await said(daemon, reopening.approve_rule, rule="bold-qc")
        await daemon.run_until_idle()
    assert len(tagged(box, "LOW_SNR")) == len(wanted) - 1


async def test_shadow_decides_and_records_only(box: Sandbox, tmp_path: Path) -> None:
    """What a rule in shadow would do is on record, and nothing reaches the site."""
    async with opened(write_lab(tmp_path, box.key, quality(mode="shadow"))) as daemon:
        await daemon.run_until_idle()
        shadows = await effects(daemon, state="shadow")
    assert writes(box) == 0
    assert len(shadows) == len(low(box))


async def test_a_canary_goes_first_and_the_rest_waits(box: Sandbox, tmp_path: Path) -> None:
    """Two launches run; the others are held until the version is approved."""
    async with opened(write_lab(tmp_path, box.key, RECON.format(limits="{canary: 2}"))) as daemon:
        before = len(box.site.analyses.rows)
        await daemon.run_until_idle()
        assert len(box.site.analyses.rows) == before + 2
        held = await effects(daemon, state="held")
        await said(daemon, reopening.approve_rule, rule="recon-all")
        await daemon.run_until_idle()
    assert len(box.site.analyses.rows) == before + 2 + len(held)


async def test_a_rule_edited_while_running(box: Sandbox, tmp_path: Path) -> None:
    """From tag A to B: A goes, B comes; a broken edit keeps the last good version; a removed rule keeps its tags."""
    config = write_lab(tmp_path, box.key, quality(tag="LOW_SNR"))
    file = config / "rules" / "rules.yaml"
    lab = load_lab({}, config=config)
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, reread=lab.reread) as daemon:
        await daemon.run_until_idle()
        wanted = tagged(box, "LOW_SNR")
        file.write_text(quality(tag="POOR_SNR"))
        taken = await daemon.reload()
        assert taken.changed == {"bold-qc"}
        await daemon.run_until_idle()
        assert (tagged(box, "LOW_SNR"), tagged(box, "POOR_SNR")) == (set(), wanted)
        file.write_text(quality(tag="POOR_SNR").replace("snr < 1.0", "snr <"))
        taken = await daemon.reload()
        assert taken.kept == {"bold-qc"}
        assert "rules.yaml:" in str(daemon.rules.rejected[0])
        await daemon.run_until_idle()
        assert tagged(box, "POOR_SNR") == wanted
        file.write_text("rules: []\n")
        taken = await daemon.reload()
        assert taken.removed == {"bold-qc"}
        await daemon.run_until_idle()
        assert tagged(box, "POOR_SNR") == wanted
        await said(daemon, undo, rule="bold-qc")
        await daemon.run_until_idle()
    assert tagged(box, "POOR_SNR") == set()
