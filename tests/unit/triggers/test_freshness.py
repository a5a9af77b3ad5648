"""Freshness and coverage: what may be relied on, and what has to be listed."""

from __future__ import annotations

from datetime import timedelta

from fakes.clock import START, FakeClock
from fakes.ledger import MemoryLedger
from flyball.model.errors import Gone, Refused, Transient
from flyball.model.levels import HIERARCHY, Level
from flyball.triggers.coverage import Coverage, Covered
from flyball.triggers.freshness import Freshness
from flyball.triggers.weather import Weather, advice_on, is_of_the_site

P, S, A, F = Level.PROJECT, Level.SESSION, Level.ACQUISITION, Level.FILE


def fresh() -> Freshness:
    """All levels listed and read."""
    made = Freshness(HIERARCHY)
    made.listed |= set(HIERARCHY)
    made.rounds.behind.clear()
    return made


def test_nothing_is_relied_on_before_it_was_listed_and_read() -> None:
    """After a start the ledger may be days behind the site."""
    made = Freshness(HIERARCHY)
    assert not made.covers({P})
    made.listed |= set(HIERARCHY)
    assert not made.covers({P})
    made.rounds.read(P)
    assert made.covers({P})
    assert not made.covers({P, S})
    assert made.covers(set())


def test_what_comes_in_puts_the_levels_below_behind() -> None:
    """Until the same pass has read them; what lies above is as it was."""
    made = fresh()
    made.rounds.brought(S, [A, F])
    assert made.covers({P, Level.SUBJECT, S})
    assert not made.covers({A})
    made.rounds.read(A)
    assert made.covers({A})
    assert not made.covers({F})
    made.sweeps.brought(S, [A])
    made.rounds.read(F)
    assert made.covers({F})
    assert not made.covers({A})


def test_a_failed_level_is_behind() -> None:
    """Until it was read again."""
    made = fresh()
    made.rounds.failed(A)
    assert not made.covers({S, A})
    assert made.covers({S})
    made.rounds.read(A)
    assert made.covers({S, A})


def test_levels_that_nobody_watches_cannot_be_relied_on() -> None:
    """A rule that needs one waits until it is watched; new rules start anew."""
    made = fresh()
    assert not made.covers({Level.ANALYSIS})
    made.renew([P, S])
    assert not made.covers({P})


def test_coverage_is_lacking_for_new_projects_and_deeper_reading() -> None:
    """And shrinks with what is watched."""
    known = Coverage(START, frozenset({"p1", "p2"}), frozenset({"info"}))
    assert known.lacks({"p1", "p3"}, {"info"}) == {"p3"}
    assert known.lacks({"p1"}, {"info", "tags"}) == {"p1"}
    assert known.lacks({"p1"}, set()) == frozenset()
    assert Coverage().lacks({"p1"}, set()) == {"p1"}
    assert known.within({"p2", "p9"}, {"tags"}) == Coverage(START, frozenset({"p2"}), frozenset())


async def test_coverage_is_durable() -> None:
    """By site and level."""
    ledger = MemoryLedger()
    covered = Covered("main", ledger, FakeClock())
    assert await covered.of(S) == Coverage()
    known = Coverage(START - timedelta(hours=1), frozenset({"p1"}), frozenset({"info", "tags"}))
    await covered.save(S, known)
    await covered.save(A, Coverage())
    assert await Covered("main", ledger, FakeClock()).of(S) == known
    assert await Covered("other", ledger, FakeClock()).of(S) == Coverage()
    assert await covered.of(A) == Coverage()
    await ledger.close()


def test_what_is_said_of_errors() -> None:
    """What happened, where, and what to check."""
    where = "https://site/api"
    assert "check the API key of site 'main' (https://site/api)" in advice_on(Refused("no", status=401), "main", where)
    assert "what the API key of site 'main' may read" in advice_on(Refused("no", status=403), "main", where)
    assert f"check that {where} is right and reachable" in advice_on(Transient("reset"), "main", where)
    assert "less often" in advice_on(Transient("slow", status=429), "main", where)
    assert advice_on(Gone("no such list", status=404), "main", where) == f"no such list ({where})"


def test_which_errors_are_about_the_whole_site() -> None:
    """A refused key, a proxy without a site behind it, a site that wants to be left alone."""
    for error, whole in (
        (Refused("", status=401), True),
        (Refused("", status=403), False),
        (Transient("", status=503), False),
        (Transient("", status=429), True),
        (Transient("", status=500), False),
        (Transient(""), False),
        (Gone("", status=404), False),
    ):
        assert is_of_the_site(error) is whole


def test_the_weather_shows_the_first_trouble() -> None:
    """And how many more there are."""
    weather = Weather()
    weather.troubles = {"session": "a", "file": "b", "job": "a"}
    weather.show()
    shown = [weather.error]
    weather.troubles.clear()
    weather.show(("odd",))
    assert [*shown, weather.error] == ["a (and 1 more)", None]
    assert weather.doubts == ("odd",)
    weather.take(3, 2, 1)
    weather.take(4, 2, 1)
    assert (weather.last_requests, weather.rows, weather.changes) == (4, 4, 2)
