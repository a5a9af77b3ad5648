"""A site that is found at another address than before: it may be the same under a new name, or another one."""

from __future__ import annotations

from pathlib import Path

from flyball.sandbox import Sandbox, Scenario
from support.lab import opened, write_lab, writes

RULE = """
rules:
  - id: seen
    since: all
    each: session
    do:
      - tag: {on: session, set: {SEEN: true}}
"""


def tagged(box: Sandbox) -> int:
    """How many sessions have the tag."""
    return sum("SEEN" in row["tags"] for row in box.site.sessions.rows.values())


async def run(key: str, folder: Path) -> None:
    """One single run on the same ledger, whatever the site."""
    async with opened(write_lab(folder, key, RULE)) as daemon:
        assert await daemon.run_until_idle()


async def test_another_site_under_the_same_name_is_read_from_the_start(tmp_path: Path) -> None:
    """What the ledger knows of the former site hides nothing of this one."""
    async with Sandbox(Scenario.named("lab")) as first:
        await run(first.key, tmp_path)
        assert tagged(first) == len(first.site.sessions.rows)
    async with Sandbox(Scenario.named("tutorial")) as second:
        await run(second.key, tmp_path)
        assert tagged(second) == len(second.site.sessions.rows) > 0


async def test_a_site_with_a_new_address_brings_nothing_new(tmp_path: Path) -> None:
    """The same site by another name of its host: all is listed once more, and nothing follows from it."""
    async with Sandbox(Scenario.named("lab")) as box:
        await run(box.key, tmp_path)
        before, asked = writes(box), box.requests.total
        await run(box.key, tmp_path)
        quiet, asked = box.requests.total - asked, box.requests.total
        await run(box.key.replace("127.0.0.1", "localhost"), tmp_path)
        assert box.requests.total - asked > quiet
        assert writes(box) == before
