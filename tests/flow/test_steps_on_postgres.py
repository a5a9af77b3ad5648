"""Replicas on a real PostgreSQL, step by step: at each message to the database, and each request to the site, the network
is cut, the replica is killed, or the database is; afterwards everything that the rules ask for is there once.

All steps are gone through in the long profile (each in its turn; which one it was is printed); a sample of those at
which something is half done is part of every run.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.server import Server
from support.stage import Pair, Trouble, play, play_at_site, staged
from support.stepping import SIDES, Side, SiteSteps, SteppedWire


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """For the tests of this file."""
    made = Pair()
    yield made
    made.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server that may be stopped."""
    with Server.own() as server:
        yield server


# A sample: where something is half done

ATTEMPT = r"COMMIT of .*INSERT INTO attempts"
"""The transaction that stores attempts; their requests leave after it."""
END = r"COMMIT of UPDATE attempts"
"""The transaction that stores how attempts ended."""
HAND_OUT = r"COMMIT of .*procrastinate_defer_jobs_v1$"
"""The transaction that stores what a page brought, the looks that follow, and that they were handed out."""

MOMENTS: dict[str, tuple[Trouble, Side, str]] = {
    "cut in the making of the tables": ("cut", "before", r"CREATE TABLE effects"),
    "cut before it has joined": ("cut", "before", r"INSERT INTO replicas"),
    "cut in the storing of an attempt": ("cut", "before", r"INSERT INTO attempts"),
    "cut before the commit of an attempt": ("cut", "before", ATTEMPT),
    "cut after the commit of an attempt": ("cut", "after", ATTEMPT),
    "cut before the commit of an end": ("cut", "before", END),
    "cut after the commit of an end": ("cut", "after", END),
    "cut after a hand-out of looks": ("cut", "after", HAND_OUT),
    "cut when looks are fetched": ("cut", "after", r"COMMIT of procrastinate_fetch"),
    "cut when looks are struck off": ("cut", "before", r"COMMIT of procrastinate_finish"),
    "killed before it has joined": ("kill", "before", r"INSERT INTO replicas"),
    "killed when it leads": ("kill", "after", r"pg_try_advisory_lock"),
    "killed after a hand-out of looks": ("kill", "after", HAND_OUT),
    "killed after the commit of an attempt": ("kill", "after", ATTEMPT),
    "killed before the commit of an end": ("kill", "before", END),
    "database killed before the commit of an attempt": ("stop", "before", ATTEMPT),
    "database killed after the commit of an end": ("stop", "after", END),
}
AT_SITE: dict[str, tuple[Trouble, Side, str]] = {
    "cut before a launch is carried out": ("cut", "before", r"POST .*/analyses$"),
    "cut before the answer to a launch": ("cut", "after", r"POST .*/analyses$"),
    "cut before the answer to a note": ("cut", "after", r"POST .*/notes$"),
    "killed before the answer to a launch": ("kill", "after", r"POST .*/analyses$"),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_struck_in_the_middle(moment: str, pair: Pair, own_server: Server, tmp_path: Path) -> None:
    """Of a step that changes the ledger, or who may do what."""
    trouble, side, statement = MOMENTS[moment]
    server = own_server if trouble == "stop" else Server.shared()
    await play(trouble, side, 1, matching(statement), folder=tmp_path, pair=pair, server=server)


@pytest.mark.parametrize(
    "moment", [pytest.param(one, marks=pytest.mark.slow if one.startswith("killed") else ()) for one in AT_SITE]
)
async def test_struck_at_a_request(moment: str, pair: Pair, tmp_path: Path) -> None:
    """That makes something on the site."""
    trouble, side, request = AT_SITE[moment]
    await play_at_site(trouble, side, 1, matching(request), folder=tmp_path, pair=pair)


def matching(pattern: str) -> Callable[[str], bool]:
    """Whether a step is of this kind."""
    return lambda step: re.search(pattern, step) is not None


@pytest.mark.parametrize(
    ("trouble", "side"),
    [
        ("kill", "before"),
        *(
            pytest.param(*one, marks=pytest.mark.slow)
            for one in [("cut", "before"), ("cut", "after"), ("kill", "after")]
        ),
    ],
)
async def test_struck_in_a_take_over(trouble: Trouble, side: Side, pair: Pair, tmp_path: Path) -> None:
    """One was killed before the answer to its launch; the one that takes up its work is struck as it strikes it off."""
    address = Server.shared().new_database()
    with SteppedWire(address, number=1, side=side, fits=matching("COMMIT of DELETE FROM replicas")) as wire:
        async with staged(tmp_path, pair, address) as stage:
            launched = SiteSteps(stage.box, 1, "after", stage.kill, matching(r"POST .*/analyses$"))
            await stage.start(address)
            await stage.until(launched.struck.is_set, "the first one is killed")

            def cut() -> None:
                wire.refuse = 2
                wire.cut_all()

            wire.strike = stage.kill if trouble == "kill" else cut
            await stage.start(wire.address)
            await stage.until(wire.struck.is_set, "the second one takes over")
            if trouble == "kill":
                await stage.start(address)
            await stage.settled()
            print(f"{trouble} {side} a take-over: {time.monotonic() - stage.began:.1f} s")


# Every step

LASTS = re.compile(r"COMMIT of|\(connects\)|INSERT INTO replicas|DELETE FROM replicas|pg_try_advisory_lock|LISTEN")
"""What changes something for good, or who may do what. Between two of these, a replica that is killed leaves the same."""

STEPS, LASTING, REQUESTS = 880, 64, 60
"""About so many there are until everything is done; the replica goes on asking, so that each number is reached."""


def lasts(statement: str) -> bool:
    """Whether a step is one of those."""
    return LASTS.search(statement) is not None


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, STEPS + 1))
async def test_the_network_is_cut_at_each_step(number: int, pair: Pair, tmp_path: Path) -> None:
    """Of a replica that is the only one: what it only reads for is cut as well, where nothing is lost but its way."""
    await play("cut", SIDES[number % 2], number, bool, folder=tmp_path, pair=pair, server=Server.shared())


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, LASTING + 1))
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("trouble", ["cut", "kill", "stop"])
async def test_struck_where_something_lasts(
    trouble: Trouble, side: Side, number: int, pair: Pair, own_server: Server, tmp_path: Path
) -> None:
    """Where something is committed, connected or locked, before and after: any of the three."""
    await play(trouble, side, number, lasts, folder=tmp_path, pair=pair, server=own_server)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, REQUESTS + 1))
@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("trouble", ["cut", "kill"])
async def test_struck_at_each_request(trouble: Trouble, side: Side, number: int, pair: Pair, tmp_path: Path) -> None:
    """The network to the site is cut, or the replica is killed, before a request is carried out, or before its answer."""
    await play_at_site(trouble, side, number, bool, folder=tmp_path, pair=pair)
