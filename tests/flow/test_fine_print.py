"""What becomes of tags and alerts when a rule is edited, paused, put in shadow, removed, or its target is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import change_file_info
from support.lab import write_lab, writes

RULE = """
rules:
  - id: bold-qc
    since: all
    mode: {mode}
    each: file
    scope: {{file: "*mriqc.qa*", project: "{project}"}}
    if: "'T2*' in file.classification.Measurement"
    when_over: {over}
    do:
      - alert: {{title: "{{{{ acquisition.label }}}} has little signal", when: file.info.snr < 1.0}}
"""
TAG = """
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
"""
NOTE = """
      - note: {on: session, text: "{{ file.name }}", when: file.info.snr < 1.0}
"""


def rule(mode: str = "live", project: str = "scien/*", over: str = "", do: str = TAG) -> str:
    """The rule about BOLD runs: a tag and an alert for each poor one."""
    text = RULE.format(mode=mode, project=project, over=over) if over else RULE.replace("    when_over: {over}\n", "")
    return (text if over else text.format(mode=mode, project=project)).rstrip() + do


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site."""
    async with Sandbox(Scenario.named("lab")) as sandbox:
        yield sandbox


@dataclass
class Lab:
    """A daemon that did its work once, and its rule file."""

    box: Sandbox
    daemon: Daemon
    file: Path

    def tagged(self) -> set[str]:
        """Acquisitions with the tag."""
        return {str(ident) for ident, row in self.box.site.acquisitions.rows.items() if "LOW_SNR" in row["tags"]}

    async def open_alerts(self) -> int:
        """How many alerts are open."""
        return len((await History(self.daemon.store).alerts(state="open", limit=1000))["results"])

    async def edit(self, text: str) -> None:
        """Another rule file, taken over and carried out."""
        self.file.write_text(text)
        await self.daemon.reload()
        await self.daemon.run_until_idle()

    def reports(self) -> list[dict[str, Any]]:
        """The reports on tagged acquisitions."""
        mine = self.tagged()
        rows = self.box.site.files.rows.values()
        return [row for row in rows if "mriqc.qa" in row["name"] and row["parent_ref"]["id"] in mine]


@asynccontextmanager
async def lab(box: Sandbox, folder: Path, text: str) -> AsyncIterator[Lab]:
    """A lab whose rule has run."""
    config = write_lab(folder, box.key, text)
    read = load_lab({}, config=config)
    assert not read.rules.rejected, [str(one) for one in read.rules.rejected]
    async with Daemon(read.settings, read.rules, read.secrets, read.environment, reread=read.reread) as daemon:
        made = Lab(box, daemon, config / "rules" / "rules.yaml")
        await daemon.run_until_idle()
        assert made.tagged()
        assert await made.open_alerts() == len(made.tagged())
        yield made


@pytest.mark.parametrize("mode", ["paused", "shadow"])
async def test_a_rule_that_stops_keeps_what_it_claims(box: Sandbox, tmp_path: Path, mode: str) -> None:
    """Whatever the data become; once it is live again, what is due is done."""
    async with lab(box, tmp_path, rule()) as made:
        before, count = made.tagged(), await made.open_alerts()
        await made.edit(rule(mode=mode))
        for row in made.reports():
            change_file_info(box.site, row, {"set": {"snr": 9.0}})
        sent = writes(box)
        await made.daemon.run_until_idle()
        assert (made.tagged(), await made.open_alerts(), writes(box)) == (before, count, sent)
        await made.edit(rule())
        assert (made.tagged(), await made.open_alerts()) == (set(), 0)


async def test_a_rule_taken_out_keeps_what_it_claims(box: Sandbox, tmp_path: Path) -> None:
    """Orphaned; when it comes back, it goes on where it was."""
    async with lab(box, tmp_path, rule()) as made:
        before, count = made.tagged(), await made.open_alerts()
        await made.edit("rules: []\n")
        assert (made.tagged(), await made.open_alerts()) == (before, count)
        for row in made.reports():
            change_file_info(box.site, row, {"set": {"snr": 9.0}})
        await made.edit(rule())
        assert (made.tagged(), await made.open_alerts()) == (set(), 0)


async def test_a_target_out_of_scope_is_let_go(box: Sandbox, tmp_path: Path) -> None:
    """By an edit of the rule's scope; projects that stay in it are not touched."""
    async with lab(box, tmp_path, rule()) as made:
        before = made.tagged()
        await made.edit(rule(project="scien/tome"))
        tome = next(str(key) for key, row in box.site.projects.rows.items() if row["label"] == "tome")
        left = {key for key in before if box.site.get("acquisition", key)["parents"]["project"] == tome}
        assert before > left
        assert made.tagged() == left
        assert await made.open_alerts() == len(left)


async def test_a_target_that_is_gone_is_let_go(box: Sandbox, tmp_path: Path) -> None:
    """A deleted report no longer speaks for its acquisition: the tag goes, the alert is resolved."""
    async with lab(box, tmp_path, rule()) as made:
        before, row = made.tagged(), made.reports()[0]
        container = str(row["parent_ref"]["id"])
        key = next(key for key in await _keys(made) if key.id == row["file_id"])
        holder = box.site.get("acquisition", container)
        holder["files"] = [one for one in holder["files"] if one != row["file_id"] and one != row]
        box.site.forget_file(row)
        await made.daemon.read_again([key])
        await made.daemon.run_until_idle()
        assert made.tagged() == before - {container}
        assert await made.open_alerts() == len(before) - 1


async def _keys(made: Lab) -> list[Any]:
    from flyball.ledger.mirror import everything  # noqa: PLC0415 - a look into the ledger, for one test
    from flyball.model.levels import Level  # noqa: PLC0415 - likewise

    return await made.daemon.store.read(lambda one: [node.key for node in everything(one, "main", Level.FILE)])


@pytest.mark.parametrize(("over", "kept"), [("leave", True), ("retract", False)])
async def test_when_over(box: Sandbox, tmp_path: Path, over: str, kept: bool) -> None:
    """`leave` leaves the tags and alerts when the condition turns false."""
    async with lab(box, tmp_path, rule(over=over)) as made:
        before = made.tagged()
        for row in made.reports():
            change_file_info(box.site, row, {"set": {"snr": 9.0}})
        await made.daemon.run_until_idle()
        assert made.tagged() == (before if kept else set())


async def test_entries_of_other_kinds_come_and_go(box: Sandbox, tmp_path: Path) -> None:
    """Nothing is said or written again because an entry stands somewhere else in `do`."""
    async with lab(box, tmp_path, rule(do=NOTE + TAG)) as made:
        sent, alerts = writes(box), (await History(made.daemon.store).alerts(limit=1000))["results"]
        parts = rule(do=NOTE + TAG).partition("    do:\n")
        lines = [line for line in parts[2].splitlines() if line.strip()]
        await made.edit(parts[0] + parts[1] + "\n".join(lines[::-1]) + "\n")
        assert writes(box) == sent
        assert (await History(made.daemon.store).alerts(limit=1000))["results"] == alerts
