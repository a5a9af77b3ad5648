"""Files that no rule asks for: they are not kept, and yet they are explained, and found when a rule comes to want them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from flyball.answers import Answers
from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.ledger.tables import nodes
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened, write_lab, writes

RULES = """
rules:
  - id: reports
    since: all
    each: file
    scope: {{file: "{names}"}}
    do:
      - tag: {{on: file, set: {{SEEN: file.size > 0}}}}
"""


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site."""
    async with Sandbox(Scenario.named("lab")) as sandbox:
        yield sandbox


def files(box: Sandbox) -> dict[str, str]:
    """Names of all files on acquisitions, by id."""
    return {entry["file_id"]: entry["name"] for row in box.site.acquisitions.rows.values() for entry in row["files"]}


async def mirrored(daemon: Daemon) -> set[str]:
    """Names of the files that the ledger has."""

    def look(connection: Connection) -> set[str]:
        return {row.label for row in connection.execute(select(nodes.c.label).where(nodes.c.level == "file"))}

    return await daemon.store.read(look)


async def test_only_the_files_that_rules_ask_for_are_kept(box: Sandbox, tmp_path: Path) -> None:
    """Thousands of images would else fill the ledger; those that a rule names are all there and tagged."""
    config = write_lab(tmp_path, box.key, RULES.format(names="*mriqc.qa*"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        wanted = {name for name in files(box).values() if "mriqc.qa" in name}
        assert await mirrored(daemon) == wanted != set(files(box).values())
        assert writes(box) == sum("mriqc.qa" in name for name in files(box).values())


async def test_a_file_that_was_passed_over_is_explained(box: Sandbox, tmp_path: Path) -> None:
    """By its id and by its path: it is out of the rule's scope."""
    config = write_lab(tmp_path, box.key, RULES.format(names="*mriqc.qa*"))
    ident, name = next((ident, name) for ident, name in files(box).items() if name.endswith(".nii.gz"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        answers = Answers(daemon)
        by_id = await answers.why("reports", ident)
        assert by_id["decision"] == "no"
        assert by_id["because"][0]["note"] == "scope: the file is out of the rule's scope"
        path = by_id["target"]["path"]
        assert path.endswith(f"/{name}")
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        assert (await Answers(daemon).why("reports", path))["target"]["path"] == path


async def test_a_wider_scope_brings_what_was_passed_over(box: Sandbox, tmp_path: Path) -> None:
    """The files are listed again when a rule comes to want more of them."""
    config = write_lab(tmp_path, box.key, RULES.format(names="*mriqc.qa*"))
    lab = load_lab({}, config=config)
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, reread=lab.reread) as daemon:
        assert await daemon.run_until_idle()
        (config / "rules" / "rules.yaml").write_text(RULES.format(names="*"))
        before = writes(box)
        await daemon.reload()
        assert await daemon.run_until_idle()
        assert await mirrored(daemon) == set(files(box).values())
        assert writes(box) - before == sum("mriqc.qa" not in name for name in files(box).values())


async def test_a_file_that_gets_another_name_loses_its_tag(box: Sandbox, tmp_path: Path) -> None:
    """What the mirror has is followed, whatever it is called now."""
    config = write_lab(tmp_path, box.key, RULES.format(names="*mriqc.qa*"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        container, entry = next(
            (row, entry)
            for row in box.site.acquisitions.rows.values()
            for entry in row["files"]
            if "mriqc.qa" in entry["name"]
        )
        assert entry["tags"] == ["SEEN"]
        entry["name"] = "renamed.html"
        box.site.files.moved(entry, box.site.now)
        box.site.touch("acquisition", container)
        assert await daemon.run_until_idle()
        assert entry["tags"] == []
