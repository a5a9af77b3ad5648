"""Rule files: a change is noticed once, whenever it was made."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from flyball import rulefiles
from flyball.rulefiles import RuleFiles

DEADLINE = 90.0


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stamps are compared often enough for a test."""
    monkeypatch.setattr(rulefiles, "COMPARE_MS", 50)


async def following(changes: AsyncIterator[None]) -> None:
    """Wait for the next change."""
    async with asyncio.timeout(DEADLINE):
        await anext(changes)


async def test_what_is_written_before_anybody_listens(tmp_path: Path) -> None:
    """Between the reading of the rules and the first listening: it is noticed all the same."""
    (tmp_path / "a.yaml").write_text("version: 1\n")
    files = RuleFiles(tmp_path, list)
    (tmp_path / "b.yml").write_text("version: 1\n")
    async with aclosing(files.changes(asyncio.Event())) as changes:
        await following(changes)


async def test_each_kind_of_change(tmp_path: Path) -> None:
    """Written, added below, removed; and a file elsewhere that the rules name."""
    rules, table = tmp_path / "rules", tmp_path / "table.csv"
    rules.mkdir()
    (rules / "a.yaml").write_text("version: 1\n")
    table.write_text("label\n")
    async with aclosing(RuleFiles(rules, lambda: [table]).changes(asyncio.Event())) as changes:
        (rules / "a.yaml").write_text("version: 1\nrules: []\n")
        await following(changes)
        (rules / "more").mkdir()
        (rules / "more" / "b.yaml").write_text("version: 1\n")
        await following(changes)
        (rules / "more" / "b.yaml").unlink()
        await following(changes)
        table.write_text("label\nex1\n")
        await following(changes)


async def test_where_nobody_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system without notices the stamps say it; where nothing changed, nothing is said."""
    looked = 0

    async def silent(*_paths: object, **_options: object) -> AsyncIterator[set[object]]:
        nonlocal looked
        for _ in range(100):
            await asyncio.sleep(0)
            looked += 1
            yield set()

    monkeypatch.setattr(rulefiles, "awatch", silent)
    path = tmp_path / "a.yaml"
    path.write_text("version: 1\n")
    async with aclosing(RuleFiles(tmp_path, list).changes(asyncio.Event())) as changes:
        waiting = asyncio.ensure_future(anext(changes))  # noqa: TID251 - it is looked at while it waits
        while looked < 10:
            await asyncio.sleep(0)
        assert not waiting.done()
        path.write_text("version: 1\nrules: []\n")
        async with asyncio.timeout(DEADLINE):
            await waiting


async def test_without_a_folder_there_is_nothing_to_listen_to(tmp_path: Path) -> None:
    """A lab that has only settings."""
    assert [change async for change in RuleFiles(tmp_path / "none", list).changes(asyncio.Event())] == []
