"""Messages that wait: for a digest, or for the end of a silence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import time, timedelta

import pytest

from fakes.bench import Bench
from flyball.ledger.silencing import lift, silence, silences_at
from flyball.model.errors import UnknownOutcome
from flyball.rules.posting import Digest, Route
from unit.ledger.talk_lab import ALL, RULES, qa, quiet, said, turn


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(*(qa(2.0, ident) for ident in ALL))
        yield made


# --- digests


@pytest.fixture
def digest(bench: Bench) -> Bench:
    """The channel `lab` sends what is no error at 07:30 UTC; the bench's clock stands after that."""
    bench.routes["lab"] = Route("info", Digest(time(7, 30)))
    bench.load(RULES)
    return bench


def test_a_digest_waits_for_its_time(digest: Bench) -> None:
    """Whatever came until then is one message; an error goes at once."""
    turn(digest, "bad", 0.5)
    turn(digest, "apart", 0.5, *ALL)
    digest.act()
    assert [one.message["severity"] for one in digest.channels.sent] == ["error"]
    assert [(row.status, row.count) for row in digest.alerts()] == [("open", 1), *[("open", 0)] * 3]
    digest.settle()
    last = digest.channels.sent[-1]
    assert last.message["count"] == 3
    assert (digest.clock.now().hour, digest.clock.now().minute) == (7, 30)


def test_a_digest_says_what_ended_too(digest: Bench) -> None:
    """In one message, with a sign each."""
    turn(digest, "apart", 0.5, "f1")
    digest.settle()
    turn(digest, "apart", 2.0, "f1")
    turn(digest, "apart", 0.5, "f2")
    digest.settle()
    last = digest.channels.sent[-1].message
    assert (last["status"], last["count"]) == ("open", 2)
    assert sorted(item["status"] for item in last["alerts"]) == ["open", "resolved"]
    assert "[over] f1.html" in last["body"]
    assert [row.status for row in digest.alerts()] == ["resolved", "open"]


def test_what_came_and_went_between_digests_is_not_said(digest: Bench) -> None:
    """Nobody was told that it began."""
    turn(digest, "apart", 0.5, "f1")
    digest.act()
    turn(digest, "apart", 2.0, "f1")
    digest.settle()
    assert said(digest) == []
    assert [row.status for row in digest.alerts()] == ["resolved"]


# --- silences


@pytest.mark.parametrize("what", ["bad", "scien/tome", "sci*/t?me", "p1"])
def test_silenced_until_a_time(bench: Bench, what: str) -> None:
    """Nothing is said before; the alert is shown as open, and said when the silence ends."""
    quiet(bench, what, 3600)
    turn(bench, "bad", 0.5)
    bench.act()
    assert said(bench) == []
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 0)]
    assert "the scanner is upgraded" in bench.effects()[0].error
    assert bench.wait(3599) == []
    bench.wait(1)
    assert said(bench) == [("lab", "open")]


def test_over_before_the_silence_is(bench: Bench) -> None:
    """Never said."""
    quiet(bench, "bad", 3600)
    turn(bench, "bad", 0.5)
    bench.act()
    turn(bench, "bad", 2.0)
    bench.settle()
    assert said(bench) == []
    assert [row.status for row in bench.alerts()] == ["resolved"]


def test_the_all_clear_waits_for_the_end_of_a_silence(bench: Bench) -> None:
    """People who were told of the beginning hear of the end, later."""
    turn(bench, "bad", 0.5)
    bench.act()
    quiet(bench, "bad", 3600)
    turn(bench, "bad", 2.0)
    bench.act()
    assert said(bench) == [("lab", "open")]
    bench.wait(3600)
    assert said(bench) == [("lab", "open"), ("lab", "resolved")]


def test_other_rules_and_projects_go_on(bench: Bench) -> None:
    """A silence is about what it names."""
    quiet(bench, "together", 3600)
    with pytest.raises(LookupError, match="no project"):
        quiet(bench, "scien/other", 3600)
    turn(bench, "bad", 0.5)
    bench.act()
    assert said(bench) == [("lab", "open")]


def test_a_silence_is_lifted(bench: Bench) -> None:
    """What it kept goes out now; it is listed no more."""
    found = quiet(bench, "bad", 3600)
    turn(bench, "bad", 0.5)
    bench.act()
    now = bench.clock.now()
    assert [one.id for one in bench.ledger.do(lambda connection: silences_at(connection, now))] == [found.id]
    bench.ledger.do(lambda connection: lift(connection, str(found.id), now))
    bench.act()
    assert said(bench) == [("lab", "open")]
    assert bench.ledger.do(lambda connection: silences_at(connection, now)) == []
    with pytest.raises(LookupError, match="in force"):
        bench.ledger.do(lambda connection: lift(connection, str(found.id), now))


def test_a_silence_over_a_kill(bench: Bench) -> None:
    """It is in the ledger."""
    quiet(bench, "bad", 3600)
    turn(bench, "bad", 0.5)
    bench.act()
    bench.restart()
    assert (bench.act(), said(bench)) == ([], [])
    bench.wait(3600)
    assert said(bench) == [("lab", "open")]


def test_what_may_have_been_said_is_cleared_up_in_a_silence(bench: Bench) -> None:
    """An unclear message is said again at once: its receivers may have it already."""
    bench.channels.faults.add("send", UnknownOutcome("reset"), when="after")
    turn(bench, "bad", 0.5)
    bench.act()
    quiet(bench, "bad", 3600)
    bench.wait(60)
    assert said(bench) == [("lab", "open"), ("lab", "open")]


@pytest.mark.parametrize(
    ("what", "seconds", "because", "error", "reason"),
    [
        ("bad", -1, "x", ValueError, "later than now"),
        ("bad", 60, " ", ValueError, "reason"),
        ("nosuch", 60, "x", LookupError, "no rule"),
    ],
)
def test_silences_that_make_no_sense(
    bench: Bench, what: str, seconds: float, because: str, error: type[Exception], reason: str
) -> None:
    """Refused with what is wrong."""
    now = bench.clock.now()
    with pytest.raises(error, match=reason):
        bench.ledger.do(lambda connection: silence(connection, what, now + timedelta(seconds=seconds), because, now))
