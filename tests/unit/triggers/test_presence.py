"""Presence: what a list does not show is asked for by its own address before anything is believed."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from fakes.bench import SITE
from fakes.ledger import MemoryLedger
from flyball.clients.flywheel.dialect import Dialect
from flyball.ledger.absorbing import absorb
from flyball.model.errors import Gone, Permanent, Refused, Transient
from flyball.model.levels import Level
from flyball.model.node import NodeKey, Presence
from flyball.triggers.presence import SAMPLE, Roll
from unit.ledger.test_mirror import read


class Site:
    """Answers by id: a row, or an error to raise."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: Counter[str] = Counter()
        self.dialect = Dialect()

    async def get(self, level: str, id_: str, *, fresh: bool = False) -> dict[str, Any]:
        self.asked[f"{level}/{id_}"] += 1
        return self._answer(id_)

    async def get_container(self, id_: str) -> dict[str, Any]:
        self.asked[f"container/{id_}"] += 1
        return self._answer(id_)

    def _answer(self, ident: str) -> dict[str, Any]:
        found = self.answers.get(ident, Gone("not there", status=404))
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, dict)
        return {"id": ident, **found}


def keys(*idents: str, level: Level = Level.ACQUISITION) -> list[NodeKey]:
    """Keys of one level."""
    return [NodeKey(SITE, level, ident) for ident in idents]


async def call(site: Site, wanted: list[NodeKey], *, readable: tuple[str, ...] = ()) -> Any:
    """Call the roll on a mirror that knows the acquisitions a0 to a99 in the project p1."""
    ledger = MemoryLedger()
    ledger.do(lambda connection: absorb(connection, [read(ident=f"a{number}") for number in range(100)]))
    asked = await Roll(SITE, site, ledger).call(wanted, readable=readable)
    await ledger.close()
    return asked


def states(asked: Any) -> dict[str, Presence]:
    """Id → what was found."""
    return {key.id: presence for key, presence in asked.lost}


async def test_gone_hidden_and_there() -> None:
    """By 404, 403, and an answer; one that is marked as deleted is gone."""
    site = Site(a1=Refused("no", status=403), a2={"label": "x"}, a3={"deleted": "2026"}, p1={})
    asked = await call(site, keys("a0", "a1", "a2", "a3"))
    assert states(asked) == {"a0": Presence.GONE, "a1": Presence.HIDDEN, "a3": Presence.GONE}
    assert [(level, row["id"]) for level, row in asked.there] == [(Level.ACQUISITION, "a2")]
    assert asked.believed


async def test_a_404_in_a_project_that_cannot_be_read_is_hidden() -> None:
    """With the project; it is asked for once, and not at all where it was just read."""
    for answer in (Gone("", status=404), Refused("", status=403)):
        site = Site(p1=answer)
        asked = await call(site, keys("a0", "a1"))
        assert states(asked) == {"p1": Presence.HIDDEN, "a0": Presence.HIDDEN, "a1": Presence.HIDDEN}
        assert asked.lost[0][0].level is Level.PROJECT
        assert site.asked["project/p1"] == 1
    site = Site()
    assert states(await call(site, keys("a0"), readable=("p1",))) == {"a0": Presence.GONE}
    assert "project/p1" not in site.asked


async def test_a_project_that_answers_404_is_hidden() -> None:
    """Deleted or forbidden: nobody can tell, and nothing must be taken back for it."""
    assert states(await call(Site(), keys("p1", level=Level.PROJECT))) == {"p1": Presence.HIDDEN}


async def test_files_without_ids_are_asked_for_by_their_container() -> None:
    """Once, however many there are."""
    names = [f"a1/f{number}" for number in range(30)]
    site = Site(a1={"files": [{"name": "f3"}, {"name": "f4"}, None]}, p1={})
    asked = await call(site, keys(*names, level=Level.FILE))
    assert len(asked.lost) == 28
    assert "a1/f3" not in states(asked)
    assert site.asked["container/a1"] <= 2
    gone = await call(Site(p1={}), keys("a9/x", level=Level.FILE))
    assert states(gone)["a9/x"] is Presence.GONE


async def test_a_sample_that_is_all_there_ends_it() -> None:
    """The list that left out so much is not believed, and the rest is not asked for."""
    site = Site(**{f"a{number}": {} for number in range(100)})
    asked = await call(site, keys(*(f"a{number}" for number in range(100))))
    assert (asked.believed, asked.lost, asked.requests) == (False, [], SAMPLE)


async def test_a_sample_with_one_that_is_gone_asks_on() -> None:
    """All of them, then."""
    site = Site(**{f"a{number}": {} for number in range(1, 100)}, p1={})
    asked = await call(site, keys(*(f"a{number}" for number in range(100))))
    assert asked.believed
    assert states(asked) == {"a0": Presence.GONE}
    assert len(asked.there) == 99


@pytest.mark.parametrize(
    "error", [Refused("", status=401), Refused("", status=402), Transient("", status=503), Transient("reset")]
)
async def test_a_site_that_cannot_be_asked_proves_nothing(error: Exception) -> None:
    """The error goes on; nothing is marked."""
    with pytest.raises(type(error)):
        await call(Site(a0=error), keys("a0", "a1"))


async def test_an_answer_that_makes_no_sense_proves_nothing_either() -> None:
    """A 422 is about our question."""
    asked = await call(Site(a0=Permanent("bad id", status=422)), keys("a0"))
    assert (asked.lost, asked.there) == ([], [])
