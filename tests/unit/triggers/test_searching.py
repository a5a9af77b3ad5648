"""Searches kept up to date: what is believed of an index that lags, is away, is rebuilt, or cuts its answers off."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial
from typing import Any, cast

import pytest

from fakes.bench import SITE
from fakes.clock import FakeClock
from fakes.ledger import MemoryLedger
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.wire.search import MOST_HITS
from flyball.ledger.absorbing import absorb
from flyball.ledger.searching import load_hits
from flyball.model.errors import Permanent, Refused, Transient
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.model.search import Hits, Search
from flyball.rules.rule import Rule
from flyball.triggers.needs import Needs, needs_of
from flyball.triggers.searching import FEW, Searching
from flyball.triggers.taking import Taking
from unit.ledger.test_mirror import read
from unit.rules.kit import one

QUERY = "acquisition.label = T1w"
SEARCH = Search(QUERY, Level.ACQUISITION)


class Index:
    """The client's part that is asked: answers are set by the tests, requests are counted."""

    def __init__(self) -> None:
        self.hits: list[str] | Exception = []
        self.status: str | Exception = "up-to-date"
        self.asked = 0
        self.listed = 0

    async def search(self, _query: str, _returns: str) -> list[dict[str, Any]]:
        self.asked += 1
        if isinstance(self.hits, Exception):
            raise self.hits
        return [{"_id": ident} for ident in self.hits]

    async def search_status(self) -> str:
        if isinstance(self.status, Exception):
            raise self.status
        return self.status

    async def iterate(self, _level: str) -> AsyncIterator[list[dict[str, Any]]]:
        self.listed += 1
        yield [{"id": f"a{number}"} for number in range(FEW)]


class Reading:
    """In place of `Taking`: keeps which nodes were asked for."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.taken: list[str] = []

    async def call_roll(self, keys: list[NodeKey], _needs: Needs, *, source: str) -> None:
        assert source == "poll"
        assert len(keys) <= 20
        self.called += [key.id for key in keys]

    async def take(self, _level: Level, rows: list[dict[str, Any]], _needs: Needs, *, source: str) -> None:
        assert source == "poll"
        self.taken += [row["id"] for row in rows]


class Bench:
    """The searches of one rule, over a mirror with 300 acquisitions."""

    def __init__(self) -> None:
        self.index, self.reading, self.clock = Index(), Reading(), FakeClock()
        self.ledger = MemoryLedger()
        self.ledger.do(lambda connection: absorb(connection, [read(ident=f"a{number}") for number in range(300)]))
        self.rule: Rule = one(f"select: {{t1: {{search: '{QUERY}', returns: acquisition}}}}", each="session")
        client, taking = cast("FlywheelClient", self.index), cast("Taking", self.reading)
        self.searching = Searching(SITE, client, self.ledger, self.clock, taking)

    async def look(self, *, changed: bool = False, later: float = 61) -> Hits:
        """One round, so many seconds later; what is on record afterwards."""
        self.clock.advance(later)
        await self.searching.look(needs_of([self.rule], SITE), changed=changed)
        found = await self.ledger.read(partial(load_hits, site=SITE, searches=[SEARCH]))
        return found[SEARCH].hits


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """A bench, closed afterwards."""
    made = Bench()
    yield made
    await made.ledger.close()


async def test_only_new_hits_are_read_again(bench: Bench) -> None:
    """By their own address, and once; hits that the mirror does not have are left to the polls."""
    bench.index.hits = ["a1", "a2", "stranger"]
    assert (await bench.look()).names == {"a1", "a2", "stranger"}
    assert sorted(bench.reading.called) == ["a1", "a2"]
    bench.index.hits = ["a2", "a3"]
    assert (await bench.look()).names == {"a2", "a3"}
    assert sorted(bench.reading.called) == ["a1", "a2", "a3"]


async def test_many_new_hits_are_read_through_the_list(bench: Bench) -> None:
    """Only what the list does not show is asked for one by one."""
    bench.index.hits = [f"a{number}" for number in range(FEW + 50)]
    await bench.look()
    assert bench.index.listed == 1
    assert sorted(bench.reading.called) == sorted(f"a{number}" for number in range(FEW, FEW + 50))


async def test_the_same_hits_lead_to_no_look(bench: Bench) -> None:
    """Nothing is owed when nothing differs."""
    bench.index.hits = ["a1"]
    await bench.look()
    bench.clock.advance(61)
    assert await bench.searching.look(needs_of([bench.rule], SITE), changed=False) == 0


@pytest.mark.parametrize("error", [Transient("503"), Refused("403", status=403)], ids=["away", "refused"])
async def test_hits_are_good_for_a_while(bench: Bench, error: Exception) -> None:
    """Then nothing is known; the last ones come back with the index."""
    bench.index.hits = ["a1"]
    await bench.look()
    bench.index.hits = error
    assert (await bench.look()).reason == ""
    assert bench.searching.findings()
    assert "cannot be asked" in (await bench.look(later=timedelta(minutes=10).total_seconds())).reason
    bench.index.hits = ["a1"]
    assert await bench.look() == Hits(frozenset({"a1"}))
    assert not bench.searching.findings()


async def test_a_wrong_query_is_unknown_at_once(bench: Bench) -> None:
    """Its last hits were of another meaning of the site's language."""
    bench.index.hits = ["a1"]
    await bench.look()
    bench.index.hits = Permanent("422")
    assert (await bench.look()).reason


@pytest.mark.parametrize("status", ["reindex", "error"])
async def test_an_index_that_is_rebuilt_is_not_asked(bench: Bench, status: str) -> None:
    """What it does not show may well be there."""
    bench.index.hits = ["a1"]
    await bench.look()
    bench.index.status, bench.index.hits = status, []
    assert await bench.look() == Hits(frozenset({"a1"}))
    assert (await bench.look(later=601)).reason == "the site's search index is being rebuilt"


async def test_a_site_that_does_not_say_how_its_index_is(bench: Bench) -> None:
    """It is asked once, and believed."""
    bench.index.status, bench.index.hits = Permanent("404"), ["a1"]
    assert (await bench.look()).names == {"a1"}


async def test_an_answer_that_may_be_cut_off_is_unknown(bench: Bench) -> None:
    """There are no pages beyond the last hit."""
    bench.index.hits = [f"x{number}" for number in range(MOST_HITS)]
    assert "narrow the query" in (await bench.look()).reason


@pytest.mark.parametrize("status", [401, 402], ids=str)
async def test_a_key_that_is_locked_out_is_the_sites_trouble(bench: Bench, status: int) -> None:
    """It says nothing about the search."""
    bench.index.hits = Refused("no", status=status)
    with pytest.raises(Refused):
        await bench.look()


async def test_how_often_it_is_asked(bench: Bench) -> None:
    """Once a minute; for two minutes after a change in each round."""
    rounds: list[tuple[bool, float, int]] = [
        (False, 0, 1),
        (False, 30, 0),
        (False, 31, 1),
        (True, 1, 1),
        (False, 1, 1),
        (False, 119, 1),
        (False, 5, 0),
    ]
    for changed, later, more in rounds:
        before = bench.index.asked
        await bench.look(changed=changed, later=later)
        assert bench.index.asked - before == more


async def test_rules_without_a_search_cost_nothing(bench: Bench) -> None:
    """No request at all."""
    broken: Callable[..., Any] = bench.searching.look
    bench.index.status = Transient("must not be asked")
    assert await broken(needs_of([one()], SITE), changed=True) == 0
    assert bench.index.asked == 0
