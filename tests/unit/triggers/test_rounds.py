"""Rounds, silent jobs and the canary, with a poller that does as the test says."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fakes.clock import FakeClock
from fakes.ledger import MemoryLedger
from flyball.clients.flywheel.dialect import DateForm, Dialect, Spelling
from flyball.model.errors import Gone, Refused, SiteError, Transient
from flyball.model.levels import Level
from flyball.triggers import canary as canary_module
from flyball.triggers.canary import PATIENCE, Canary
from flyball.triggers.freshness import Freshness
from flyball.triggers.lengths import TELLING, Lengths
from flyball.triggers.needs import Needs
from flyball.triggers.paging import Page
from flyball.triggers.poller import Round
from flyball.triggers.rounds import LONGEST_PAUSE, Rounds
from flyball.triggers.streams import Stream

STREAMS = [Stream(Level.SESSION), Stream(Level.ACQUISITION), Stream(Level.FILE)]
NEEDS = Needs(tuple(stream.level for stream in STREAMS), ())


class FakePoller:
    """Streams that answer, or fail, as they are told."""

    def __init__(self) -> None:
        self.site = "main"
        self.clock = FakeClock()
        self.store = MemoryLedger()
        self.ill: dict[str, SiteError] = {}
        self.polled: Counter[str] = Counter()
        self.blind: set[str] = set()
        self.client: Any = type("Client", (), {"dialect": Dialect()})()
        self.lengths = Lengths(self.site, self.client, self.store, self.clock)

    def streams(self, _needs: Needs) -> list[Stream]:
        return STREAMS

    async def poll(self, stream: Stream, _needs: Needs) -> Round:
        self.polled[stream.name] += 1
        if stream.name in self.ill:
            raise self.ill[stream.name]
        return Round(requests=1, rows=2, changes=1, blind=stream.name in self.blind)


class Lab:
    """Rounds over a fake poller."""

    def __init__(self) -> None:
        self.poller = FakePoller()
        self.fresh = Freshness(NEEDS.streams)
        self.fresh.listed |= set(NEEDS.streams)
        self.troubles: dict[str, SiteError] = {}
        self.refused = 0
        poller: Any = self.poller
        self.rounds = Rounds(poller, self.fresh, 30.0, trouble=self.troubles.__setitem__, refused=self._refuse)

    def _refuse(self) -> None:
        self.refused += 1

    async def go(self, seconds: float = 30) -> Round:
        """A round, some time later."""
        self.poller.clock.advance(seconds)
        self.troubles.clear()
        return await self.rounds.go(NEEDS)


@pytest.fixture
def lab() -> Lab:
    return Lab()


async def test_all_is_well(lab: Lab) -> None:
    """Numbers add up, and all levels are up to date."""
    total = await lab.go()
    assert (total.requests, total.rows, total.changes) == (3, 6, 3)
    assert lab.fresh.covers(NEEDS.streams)
    assert lab.rounds.to_come == []


async def test_an_ill_stream_is_left_alone_for_longer_and_longer(lab: Lab) -> None:
    """The others go on; its level cannot be relied on; it recovers at once when it is well."""
    lab.poller.ill["acquisition"] = Transient("broken", status=500)
    tries = []
    for _ in range(40):
        await lab.go()
        tries.append(lab.poller.polled["acquisition"])
        assert "acquisition" in lab.troubles
        assert lab.fresh.covers({Level.SESSION, Level.FILE})
        assert not lab.fresh.covers({Level.ACQUISITION})
    assert lab.poller.polled["session"] == 40
    assert 5 <= tries[-1] <= 8
    assert tries[-1] > tries[-1 - int(LONGEST_PAUSE / 30)]
    lab.poller.ill.clear()
    await lab.go(LONGEST_PAUSE)
    assert lab.troubles == {}
    assert lab.fresh.covers(NEEDS.streams)


@pytest.mark.parametrize("error", [Refused("", status=401), Transient("", status=429)])
async def test_an_answer_about_the_whole_site_ends_the_round(lab: Lab, error: SiteError) -> None:
    """The other streams are not asked in vain, and none is held against later."""
    lab.poller.ill["session"] = error
    with pytest.raises(type(error)):
        await lab.go()
    assert lab.poller.polled == {"session": 1}
    lab.poller.ill.clear()
    await lab.go()
    assert lab.poller.polled == {"session": 2, "acquisition": 1, "file": 1}


@pytest.mark.parametrize("status", [None, 502, 503])
async def test_no_answer_from_two_streams_is_the_site(lab: Lab, status: int | None) -> None:
    """From one of several it is the stream."""
    lab.poller.ill["session"] = Transient("reset", status=status)
    await lab.go()
    assert set(lab.troubles) == {"session"}
    lab.poller.ill["acquisition"] = Transient("reset", status=status)
    lab.poller.ill["file"] = Transient("reset", status=status)
    with pytest.raises(Transient):
        await lab.go(LONGEST_PAUSE)
    lab.poller.ill.clear()
    await lab.go()
    assert lab.troubles == {}
    assert lab.fresh.covers(NEEDS.streams)


async def test_what_the_site_asks_for_is_obeyed(lab: Lab) -> None:
    """A wait that comes with the error is longer than our own."""
    lab.poller.ill["file"] = Transient("later", status=500, wait=200)
    for _ in range(7):
        await lab.go()
    assert lab.poller.polled["file"] == 1
    await lab.go()
    assert lab.poller.polled["file"] == 2


async def test_a_stream_that_cannot_be_asked_for_changes(lab: Lab) -> None:
    """Is noted until it can."""
    lab.poller.blind.add("file")
    await lab.go()
    assert lab.rounds.blind == {Level.FILE}
    lab.poller.blind.clear()
    await lab.go()
    assert lab.rounds.blind == set()


class Probe:
    """The probe's answers, one after the other."""

    def __init__(self, *answers: Dialect | SiteError) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, _client: Any) -> Dialect:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, SiteError):
            raise answer
        return answer


PROVED = Dialect(object_ids=Spelling.BARE, date_form=DateForm.NAIVE, info_in_lists=True, findings=("odd",))


async def test_the_canary_sings_once_and_again_when_there_is_more_to_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty site's first news at once; what is half proved after some rounds with news; a closed route at once."""
    probe = Probe(Gone("no"), Dialect(), PROVED)
    monkeypatch.setattr(canary_module, "probe", probe)
    poller: Any = FakePoller()
    met: list[int] = []

    async def meet() -> None:
        met.append(probe.asked)

    canary = Canary(poller, meet)
    with pytest.raises(Gone):
        await canary.sing()
    for _ in range(3):
        await canary.sing()
    assert (probe.asked, met) == (2, [2])
    canary.saw(1)
    await canary.sing()
    assert probe.asked == 3
    assert canary.findings == ("odd",)
    for _ in range(PATIENCE):
        await canary.sing()
        assert probe.asked == 3
        canary.saw(1)
    await canary.sing()
    assert probe.asked == 4
    canary.refused()
    await canary.sing()
    assert probe.asked == 5
    await poller.store.close()


def page(*idents: int, limit: int = 1000) -> Page:
    """A page of rows by their numbers."""
    return Page([{"id": str(ident), "modified": str(ident)} for ident in idents], limit)


async def test_lengths_of_pages_are_learned() -> None:
    """A page that nothing new follows was whole, and shorter ones are from then on; it is known in the next run."""
    poller: Any = FakePoller()
    lengths = poller.lengths
    assert lengths.is_whole(page(), None)
    assert not lengths.is_whole(page(1, 2, 3), None)
    assert lengths.is_whole(page(3), page(1, 2, 3))
    assert lengths.whole == 3
    assert lengths.is_whole(page(7, 8), None)
    assert not lengths.is_whole(page(7, 8, 9), None)
    assert (lengths.seems_whole(page(7, 8, 9), 0), lengths.seems_whole(page(7, 8, 9), 1)) == (True, False)
    assert lengths.followed(5, 0) == 0
    assert lengths.whole == 5
    await lengths.remember()
    again = Lengths("main", poller.client, poller.store, poller.clock)
    await again.recall()
    assert again.whole == 5
    await poller.store.close()


async def test_pages_that_are_cut_are_told_apart() -> None:
    """Two of one length that go on are cut; two of one length with the same rows say nothing."""
    poller: Any = FakePoller()
    lengths = poller.lengths
    assert not lengths.is_whole(page(1, 2, 3), page(1, 2, 3))
    assert lengths.whole == 0
    assert not lengths.is_whole(page(*range(9, 9 + TELLING)), page(*range(TELLING)))
    assert poller.client.dialect.page_size == TELLING
    assert lengths.is_whole(page(1, 2, 3), None)
    assert not lengths.is_whole(page(1, 2, limit=2), None)
    await poller.store.close()
