"""Selections by structured search, all the way: hits are read again, the index may lag, be away, or be wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fakes.clock import FakeClock
from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.clock import SystemClock
from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.metadata import add_tag
from support.lab import opened, write_lab

RULE = """
rules:
  - id: has-t1
    since: all
    each: session
    select:
      t1: {{search: "{query}", returns: {returns}}}
    do:
      - tag: {{on: session, set: {{HAS_T1: len(t1) >= 1}}}}
"""
T1 = "acquisition.label = T1w"


def rule(query: str = T1, returns: str = "acquisition") -> str:
    """The rule that tags sessions with a hit."""
    return RULE.format(query=query, returns=returns)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site, whose index is not behind."""
    async with Sandbox(Scenario.named("lab", search={"lag_s": 0})) as sandbox:
        yield sandbox


def tagged(box: Sandbox) -> set[str]:
    """Sessions with the tag."""
    return {str(ident) for ident, row in box.site.sessions.rows.items() if "HAS_T1" in row["tags"]}


def with_t1(box: Sandbox) -> set[str]:
    """Sessions that have such an acquisition, read straight from the site's state."""
    return {str(row["parents"]["session"]) for row in box.site.acquisitions.rows.values() if row["label"] == "T1w"}


def with_nifti(box: Sandbox) -> set[str]:
    """Sessions with such an acquisition that has a NIfTI file."""
    mine = {str(ident) for ident, row in box.site.acquisitions.rows.items() if row["label"] == "T1w"}
    return {
        str(row["parents"]["session"])
        for row in box.site.files.rows.values()
        if row["type"] == "nifti" and row["parents"].get("acquisition") in mine
    }


async def decisions(daemon: Daemon) -> list[dict[str, Any]]:
    """The decisions that stand."""
    return list((await History(daemon.store).decisions(limit=1000, current=True))["results"])


@pytest.mark.parametrize(
    ("query", "returns"),
    [(T1, "acquisition"), ("acquisition.label = T1w AND file.type = nifti", "file")],
    ids=["acquisitions", "files"],
)
async def test_hits_are_what_lies_below_the_target(box: Sandbox, tmp_path: Path, query: str, returns: str) -> None:
    """One search for all sessions; each sees its own hits."""
    async with opened(write_lab(tmp_path, box.key, rule(query, returns))) as daemon:
        assert await daemon.run_until_idle()
        assert tagged(box) == (with_t1(box) if returns == "acquisition" else with_nifti(box))
        told = [line for one in await decisions(daemon) for line in one["because"] if line["expr"] == "select t1"]
        assert told
        assert not any(line["result"] == "unknown" for line in told)


async def test_what_changes_the_hits_is_looked_at(box: Sandbox, tmp_path: Path) -> None:
    """A scan that is renamed is a hit no more: the tag goes, once the index knows."""
    config = write_lab(tmp_path, box.key, rule())
    async with opened(config) as daemon:
        await daemon.run_until_idle()
        before = tagged(box)
        row = next(row for row in box.site.acquisitions.rows.values() if row["label"] == "T1w")
        session = str(row["parents"]["session"])
        others = [one for one in box.site.acquisitions.rows.values() if one["parents"]["session"] == session]
        assert [one["label"] for one in others].count("T1w") == 1
        row["label"] = "T1w_old"
        box.site.touch("acquisition", row)
        await daemon.run_until_idle()
        assert tagged(box) == before - {session}


async def test_a_hit_that_is_gone_is_not_used(box: Sandbox, tmp_path: Path) -> None:
    """The index still shows what was deleted; its own address does not."""
    config = write_lab(tmp_path, box.key, rule())
    async with opened(config) as daemon:
        row = next(row for row in box.site.acquisitions.rows.values() if row["label"] == "T1w")
        session = str(row["parents"]["session"])
        searching = daemon.watches["main"].searching
        renew = searching._read_again

        async def deleted_in_between(*args: Any) -> None:
            box.site.delete("acquisition", str(row["_id"]))
            searching._read_again = renew  # type: ignore[method-assign] # once only
            await renew(*args)

        searching._read_again = deleted_in_between  # type: ignore[method-assign,assignment] # the moment between index and use
        await daemon.run_until_idle()
        assert tagged(box) == with_t1(box)
        assert session not in tagged(box)


async def test_an_index_that_is_away_is_unknown(box: Sandbox, tmp_path: Path) -> None:
    """Nothing is set and nothing is removed; when it is back, what is due is done."""
    clock = FakeClock(SystemClock().now())
    lab = load_lab({}, config=write_lab(tmp_path, box.key, rule()))
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, clock=clock) as daemon:
        client = daemon.sites["main"].client
        ask = client.search

        async def away(*_args: Any, **_more: Any) -> Any:
            return await ask("(((", "acquisition")  # the site refuses it

        client.search = away  # type: ignore[method-assign] # the index as it may be
        await daemon.run_until_idle()
        told = [line for one in await decisions(daemon) for line in one["because"] if line["expr"] == "select t1"]
        assert {line["result"] for line in told} == {"unknown"}
        assert "the site's search cannot be asked" in told[0]["note"]
        assert tagged(box) == set()
        client.search = ask  # type: ignore[method-assign] # and as it is
        clock.advance(61)
        await daemon.run_until_idle()
        wanted = tagged(box)
        assert wanted == with_t1(box)
        client.search = away  # type: ignore[method-assign] # away again
        clock.advance(3600)
        await daemon.run_until_idle()
        assert tagged(box) == wanted
        assert daemon.watches["main"].weather.error is None
        assert any("search" in one for one in daemon.watches["main"].weather.findings)


async def test_a_quiet_site_is_searched_once_a_minute(box: Sandbox, tmp_path: Path) -> None:
    """Not in each round; after a change in each, since the index is behind."""
    clock = FakeClock(SystemClock().now())
    lab = load_lab({}, config=write_lab(tmp_path, box.key, rule()))
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, clock=clock) as daemon:
        await daemon.run_until_idle()
        clock.advance(200)
        await daemon.run_until_idle()
        asked: list[str] = []
        client = daemon.sites["main"].client
        ask = client.search

        async def counted(query: str, returns: str) -> Any:
            asked.append(query)
            return await ask(query, returns)

        client.search = counted  # type: ignore[method-assign,assignment] # counts
        for _ in range(5):
            await daemon.look()
        assert asked == []
        add_tag(box.site, "session", next(iter(box.site.sessions.rows.values())), "SEEN")
        clock.advance(1)
        for _ in range(3):
            await daemon.look()
        assert len(asked) == 3
