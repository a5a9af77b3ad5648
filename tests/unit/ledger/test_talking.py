"""Messages to several channels, in groups, and by severity."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import select

from fakes.bench import Bench, Killed
from flyball.ledger.steering import retry
from flyball.ledger.tables import posts, told
from flyball.model.errors import Permanent, Transient, UnknownOutcome
from flyball.rules.posting import Route
from unit.ledger.talk_lab import ALL, RULES, qa, said, turn


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(*(qa(2.0, ident) for ident in ALL))
        yield made


# --- several channels


def test_each_channel_is_told_once_and_hears_of_the_end(bench: Bench) -> None:
    """One alert, two channels, a key for each message."""
    turn(bench, "alarm", 0.5)
    turn(bench, "alarm", 0.4)
    bench.act()
    assert said(bench) == [("lab", "open"), ("ops", "open")]
    assert len({one.key for one in bench.channels.sent}) == 2
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 2)]
    turn(bench, "alarm", 2.0)
    bench.act()
    assert said(bench)[2:] == [("lab", "resolved"), ("ops", "resolved")]
    assert [row.status for row in bench.alerts()] == ["resolved"]
    assert bench.ledger.do(lambda connection: connection.execute(select(told)).all()) == []


def test_a_channel_that_is_away_holds_up_no_other(bench: Bench) -> None:
    """And is told later, once."""
    bench.channels.faults.add("send", Transient("away"))
    turn(bench, "alarm", 0.5)
    bench.act()
    assert said(bench) == [("ops", "open")]
    bench.settle()
    assert sorted(said(bench)) == [("lab", "open"), ("ops", "open")]


def test_only_those_who_were_told_hear_of_the_end(bench: Bench) -> None:
    """The other channel was away all the time; the alert ends all the same."""
    bench.channels.faults.add("send", Transient("away"))
    turn(bench, "alarm", 0.5)
    bench.act()
    turn(bench, "alarm", 2.0)
    bench.settle()
    assert said(bench) == [("ops", "open"), ("ops", "resolved")]
    assert [row.status for row in bench.alerts()] == ["resolved"]


def test_a_rule_that_names_other_channels(bench: Bench) -> None:
    """The new one is told, the old one hears no more: it gets its all-clear."""
    turn(bench, "alarm", 0.5)
    bench.act()
    bench.load(RULES.replace("[lab, ops]", "[ops, log]"))
    turn(bench, "alarm", 0.5)
    bench.act()
    assert said(bench)[2:] == [("log", "open"), ("lab", "resolved")]
    assert [row.status for row in bench.alerts()] == ["open"]
    turn(bench, "alarm", 2.0)
    bench.act()
    assert said(bench)[4:] == [("ops", "resolved"), ("log", "resolved")]
    assert [row.status for row in bench.alerts()] == ["resolved"]


def test_repeated_on_every_channel(bench: Bench) -> None:
    """A repetition each."""
    turn(bench, "alarm", 0.5)
    bench.act()
    bench.clock.advance(86400)
    assert bench.repeat_alerts() == 2
    bench.act()
    assert said(bench)[2:] == [("lab", "repeat"), ("ops", "repeat")]


# --- severity


def test_what_is_less_severe_than_the_channel_takes(bench: Bench) -> None:
    """Is shown as open and sent to the others alone; the effect says why nothing was sent."""
    bench.routes["ops"] = Route("error")
    bench.load(RULES)
    turn(bench, "alarm", 0.5)
    bench.act()
    assert said(bench) == [("lab", "open")]
    assert bench.states() == ["done", "done"]
    assert b"least severity" in bench.effects()[1].outcome
    turn(bench, "alarm", 2.0)
    bench.act()
    assert said(bench) == [("lab", "open"), ("lab", "resolved")]
    assert [row.status for row in bench.alerts()] == ["resolved"]


def test_nobody_takes_it(bench: Bench) -> None:
    """The alert is open for those who look, and ends."""
    bench.routes |= {"lab": Route("error"), "ops": Route("error")}
    bench.load(RULES)
    turn(bench, "alarm", 0.5)
    bench.act()
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 0)]
    turn(bench, "alarm", 2.0)
    bench.act()
    assert said(bench) == []
    assert [(row.status, row.count) for row in bench.alerts()] == [("resolved", 0)]


# --- groups


def test_what_opens_within_the_wait_is_one_message(bench: Bench) -> None:
    """It counts and names its alerts; each is open, and each effect is done."""
    turn(bench, "together", 0.5)
    bench.wait(30)
    turn(bench, "together", 0.5, "f2", "f3")
    assert (bench.act(), said(bench)) == ([], [])
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 0)] * 3
    bench.wait(30)
    (one,) = bench.channels.sent
    assert one.message["count"] == 3
    assert [item["title"] for item in one.message["alerts"]] == ["f1.html", "f2.html", "f3.html"]
    assert one.message["title"] == "3 alerts of together (scien/tome): 3 open"
    assert "f3.html" in one.message["body"]
    assert set(one.message["alerts"][0]) == {"id", "rule", "target", "status", "severity", "title", "body", "since"}
    assert bench.states() == ["done"] * 3
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 1)] * 3


def test_one_alone_is_an_ordinary_message(bench: Bench) -> None:
    """In the plain shape, after the wait."""
    turn(bench, "together", 0.5)
    bench.settle()
    assert set(bench.channels.sent[0].message) == {
        *("id", "rule", "target", "status", "severity", "title", "body", "since"),
    }


def test_the_all_clear_of_a_group_is_one_message(bench: Bench) -> None:
    """Under the same number as the message that opened it."""
    turn(bench, "together", 0.5, *ALL)
    bench.settle()
    turn(bench, "together", 2.0, *ALL)
    bench.settle()
    assert said(bench) == [("lab", "open"), ("lab", "resolved")]
    first, last = (one.message for one in bench.channels.sent)
    assert (last["count"], last["id"]) == (3, first["id"])
    assert [row.status for row in bench.alerts()] == ["resolved"] * 3


def test_repetitions_of_a_group_are_one_message(bench: Bench) -> None:
    """As its beginning was."""
    turn(bench, "together", 0.5, *ALL)
    bench.settle()
    bench.clock.advance(86400)
    assert bench.repeat_alerts() == 3
    bench.settle()
    assert said(bench) == [("lab", "open"), ("lab", "repeat")]
    assert bench.channels.sent[1].message["count"] == 3


def test_groups_are_kept_apart(bench: Bench) -> None:
    """By what they have in common."""
    turn(bench, "apart", 0.5, "f1", "f2", kind="x")
    turn(bench, "apart", 0.5, "f3", kind="y")
    bench.settle()
    assert sorted(one.message.get("count", 1) for one in bench.channels.sent) == [1, 2]


def test_what_is_over_before_the_wait_is_not_said(bench: Bench) -> None:
    """It is left out of its group; nobody hears of its end."""
    turn(bench, "together", 0.5, *ALL)
    bench.act()
    turn(bench, "together", 2.0, "f2")
    bench.settle()
    (one,) = bench.channels.sent
    assert [item["title"] for item in one.message["alerts"]] == ["f1.html", "f3.html"]
    assert [row.status for row in bench.alerts()] == ["open", "resolved", "open"]


def test_the_first_is_over_before_the_wait(bench: Bench) -> None:
    """The others go out when their own wait is over."""
    turn(bench, "together", 0.5, *ALL)
    bench.act()
    turn(bench, "together", 2.0, "f1")
    bench.settle()
    assert [one.message["count"] for one in bench.channels.sent] == [2]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_a_group(bench: Bench, when: str) -> None:
    """The same message with the same key, however its members stand by then."""
    bench.channels.faults.add("send", Killed(), when="before" if when == "before" else "after")
    turn(bench, "together", 0.5, *ALL)
    bench.act()
    bench.wait(60)
    assert bench.restart() == 1
    turn(bench, "together", 2.0, "f2")
    bench.settle()
    opened = [one for one in bench.channels.sent if one.status == "open"]
    assert len(opened) == (1 if when == "before" else 2)
    assert len({one.key for one in opened}) == 1
    assert [one.message["count"] for one in opened] == [3] * len(opened)
    assert all(one.message == opened[0].message for one in opened)
    assert bench.channels.sent[-1].status == "resolved"
    assert [row.status for row in bench.alerts()] == ["open", "resolved", "open"]
    carriers = bench.ledger.do(lambda connection: connection.execute(select(posts.c.carrier)).scalars().all())
    assert set(carriers) <= {None}


def test_a_group_that_certainly_was_not_sent_is_made_up_anew(bench: Bench) -> None:
    """What is over meanwhile is left out, what came meanwhile goes along."""
    bench.channels.faults.add("send", Transient("away"))
    turn(bench, "together", 0.5, "f1", "f2")
    bench.act()
    bench.wait(60)
    assert said(bench) == []
    turn(bench, "together", 2.0, "f2")
    turn(bench, "together", 0.5, "f3")
    bench.settle()
    titles = [item["title"] for one in bench.channels.sent for item in one.message.get("alerts", [one.message])]
    assert sorted(titles) == ["f1.html", "f3.html"]
    assert [row.status for row in bench.alerts()] == ["open", "resolved", "open"]


def test_an_unclear_group_is_sent_again_word_for_word(bench: Bench) -> None:
    """The texts are those of the first time."""
    bench.channels.faults.add("send", UnknownOutcome("reset"), when="after")
    turn(bench, "together", 0.5, "f1", "f2")
    bench.act()
    bench.wait(60)
    turn(bench, "together", 0.5, "f3")
    bench.settle()
    first, again, last = bench.channels.sent
    assert (first.key, first.message) == (again.key, again.message)
    assert last.message["title"] == "f3.html"


def test_a_group_that_is_refused(bench: Bench) -> None:
    """All of it failed, with the reason; `retry` takes them one by one, and nothing is left behind."""
    bench.channels.faults.add("send", Permanent("no such form", status=400))
    turn(bench, "together", 0.5, *ALL)
    bench.act()
    bench.wait(60)
    assert bench.states() == ["failed"] * 3
    assert [row.status for row in bench.alerts()] == ["open"] * 3
    for row in bench.effects():
        bench.ledger.do(lambda connection, row=row: retry(connection, str(row.id), bench.clock.now()))  # type: ignore[misc] # bound
    bench.settle()
    assert bench.states() == ["done"] * 3
    assert sum(one.message.get("count", 1) for one in bench.channels.sent) == 3


def test_a_member_cannot_be_hurried(bench: Bench) -> None:
    """Its carrier is on its way: it waits for its end."""
    bench.channels.faults.add("send", UnknownOutcome("reset"), when="before")
    turn(bench, "together", 0.5, *ALL)
    bench.act()
    bench.wait(60)
    assert bench.states() == ["waiting"] * 3
    last = str(bench.effects()[2].id)
    bench.ledger.do(lambda connection: retry(connection, last, bench.clock.now()))
    bench.act()
    assert said(bench) == []
    bench.settle()
    assert [one.message["count"] for one in bench.channels.sent] == [3]
