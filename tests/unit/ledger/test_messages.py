"""Alerts and notes, from the decision to people: said once, again when due, and when it is over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.bench import Bench, Killed, node
from flyball.model.errors import Permanent, Transient, UnknownOutcome
from flyball.model.node import Node
from flyball.rules.keys import suffix

RULES = """
rules:
  - id: alarm
    each: file
    since: all
    do:
      - alert: {channel: lab, title: "snr {{ file.info.snr }}", body: "{{ session.label }}", when: file.info.snr < 1.0, repeat: 1h}
  - id: stays
    each: file
    since: all
    when_over: leave
    do:
      - alert: {channel: lab, title: low, when: file.info.snr < 1.0}
  - id: evidence
    each: file
    since: all
    do:
      - note: {on: session, text: "snr {{ file.info.snr }}", when: file.info.snr < 1.0}
"""


def qa(snr: float | None) -> Node:
    """A QA file of the acquisition."""
    return node("file", "f1", name="f1.html", info={"snr": snr})


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(qa(0.5))
        yield made


def turn(bench: Bench, *values: float | None, rule: str = "alarm") -> None:
    """The file has these values, one after another, and the rule decides on each."""
    for value in values:
        bench.change(qa(value))
        bench.decide(rule, "f1")


def test_opened_once_and_resolved_once(bench: Bench) -> None:
    """However often it is decided; the channel gets what the specification says."""
    turn(bench, 0.5, 0.5)
    bench.act()
    turn(bench, 0.4)
    bench.act()
    assert bench.channels.statuses == ["open"]
    first = bench.channels.sent[0]
    assert first.channel == "lab"
    assert set(first.message) == {"id", "rule", "target", "status", "severity", "title", "body", "since"}
    assert (first.message["title"], first.message["body"]) == ("snr 0.5", "Session 1")
    assert first.message["target"] == {"level": "file", "id": "f1", "path": "scien/tome/1001/Session 1/T1w/f1.html"}
    turn(bench, 2.0, 3.0)
    bench.act()
    assert bench.channels.statuses == ["open", "resolved"]
    assert [(row.status, row.count) for row in bench.alerts()] == [("resolved", 2)]
    assert bench.channels.sent[1].message["since"] == first.message["since"]


def test_what_is_over_before_it_was_said_is_not_said(bench: Bench) -> None:
    """Neither the alarm nor the all-clear."""
    turn(bench, 0.5, 2.0)
    bench.act()
    assert (bench.channels.sent, bench.alerts()) == ([], [])


def test_to_and_fro_before_it_was_said_is_said_once(bench: Bench) -> None:
    """Yes, no, yes: it is open now, and that is all there is to say, with the text as it is now."""
    turn(bench, 0.5, 2.0, 0.4)
    bench.act()
    assert bench.channels.statuses == ["open"]
    assert bench.channels.sent[0].message["title"] == "snr 0.4"


def test_over_and_back_again_before_it_was_said(bench: Bench) -> None:
    """It was said to be open, and is open now: nothing more to say."""
    turn(bench, 0.5)
    bench.act()
    turn(bench, 2.0, 0.4)
    bench.act()
    assert bench.channels.statuses == ["open"]
    turn(bench, 2.0)
    bench.act()
    assert bench.channels.statuses == ["open", "resolved"]


def test_a_second_time_is_a_new_alert(bench: Bench) -> None:
    """With a beginning of its own."""
    turn(bench, 0.5)
    bench.act()
    turn(bench, 2.0)
    bench.act()
    bench.clock.advance(600)
    turn(bench, 0.3)
    bench.act()
    assert bench.channels.statuses == ["open", "resolved", "open"]
    assert [row.status for row in bench.alerts()] == ["resolved", "open"]
    assert bench.channels.sent[2].message["since"] > bench.channels.sent[0].message["since"]


def test_repeated_while_it_lasts(bench: Bench) -> None:
    """Every hour, with the text as it is now and a key of its own; not after the end."""
    turn(bench, 0.5)
    bench.act()
    bench.clock.advance(3599)
    assert bench.repeat_alerts() == 0
    turn(bench, 0.2)
    bench.clock.advance(1)
    assert bench.repeat_alerts() == 1
    bench.act()
    bench.clock.advance(3600)
    bench.repeat_alerts()
    bench.act()
    assert bench.channels.statuses == ["open", "repeat", "repeat"]
    assert bench.channels.sent[1].message["title"] == "snr 0.2"
    assert len({one.key for one in bench.channels.sent}) == 3
    assert len({one.message["id"] for one in bench.channels.sent}) == 1
    turn(bench, 2.0)
    bench.act()
    bench.clock.advance(7200)
    assert bench.repeat_alerts() == 0


def test_a_repetition_that_fails_is_not_the_last(bench: Bench) -> None:
    """The next hour has its own."""
    turn(bench, 0.5)
    bench.act()
    bench.channels.faults.add("send", Permanent("no such room", status=404))
    bench.clock.advance(3600)
    bench.repeat_alerts()
    bench.act()
    bench.clock.advance(3600)
    assert bench.repeat_alerts() == 1
    bench.act()
    assert bench.channels.statuses == ["open", "repeat"]


def test_a_repetition_is_dropped_when_it_is_over(bench: Bench) -> None:
    """Queued, and resolved before it was said."""
    turn(bench, 0.5)
    bench.act()
    bench.clock.advance(3600)
    bench.repeat_alerts()
    turn(bench, 2.0)
    bench.act()
    assert bench.channels.statuses == ["open", "resolved"]


def test_no_second_repetition_while_one_is_on_its_way(bench: Bench) -> None:
    """A channel that is away for hours does not get them all at once."""
    turn(bench, 0.5)
    bench.act()
    bench.channels.faults.add("send", Transient("away"), times=1000)
    for _ in range(5):
        bench.clock.advance(3600)
        bench.repeat_alerts()
        bench.act()
    bench.channels.faults.clear()
    bench.settle()
    assert bench.channels.statuses == ["open", "repeat"]


def test_a_rule_that_is_gone_repeats_nothing(bench: Bench) -> None:
    """Its alert stays open, for people to see."""
    turn(bench, 0.5)
    bench.act()
    bench.load("")
    bench.clock.advance(3600)
    assert bench.repeat_alerts() == 0
    assert [row.status for row in bench.alerts()] == ["open"]


def test_when_over_leave(bench: Bench) -> None:
    """No all-clear; and while it stands open, it is not said again."""
    turn(bench, 0.5, rule="stays")
    bench.act()
    turn(bench, 2.0, 0.5, rule="stays")
    bench.act()
    assert bench.channels.statuses == ["open"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_message(bench: Bench, when: str) -> None:
    """Said at least once, with the same key each time."""
    bench.channels.faults.add("send", Killed(), when="before" if when == "before" else "after")
    turn(bench, 0.5)
    bench.act()
    assert bench.restart() == 1
    bench.settle()
    assert bench.channels.statuses == (["open"] if when == "before" else ["open", "open"])
    assert len({one.key for one in bench.channels.sent}) == 1
    assert [(row.status, row.count) for row in bench.alerts()] == [("open", 1)]


def test_an_unclear_message_that_is_over_is_said_again_and_resolved(bench: Bench) -> None:
    """People may have got it: then they must get the all-clear, too."""
    bench.channels.faults.add("send", Killed(), when="after")
    turn(bench, 0.5)
    bench.act()
    bench.restart()
    turn(bench, 2.0)
    bench.settle()
    assert bench.channels.statuses == ["open", "open", "resolved"]


def test_a_lost_answer_is_followed_by_the_all_clear(bench: Bench) -> None:
    """People may have got it; it was over before it was said again."""
    bench.channels.faults.add("send", UnknownOutcome("reset"), when="after")
    turn(bench, 0.5)
    bench.act()
    turn(bench, 2.0)
    bench.settle()
    assert bench.channels.statuses == ["open", "open", "resolved"]
    assert bench.channels.sent[0].key == bench.channels.sent[1].key


def test_a_channel_that_is_away(bench: Bench) -> None:
    """It is said later, with the same key."""
    bench.channels.faults.add("send", Transient("503", status=503), times=30)
    turn(bench, 0.5)
    bench.settle()
    assert bench.channels.statuses == ["open"]
    assert bench.clock.seconds - 1000.0 > 3600  # it was asked less and less often


def test_a_channel_that_refuses(bench: Bench) -> None:
    """Failed with the reason; the alert is shown as open although nobody was told, and nobody is told of its end."""
    bench.channels.faults.add("send", Permanent("the channel answered 404", status=404))
    turn(bench, 0.5)
    bench.act()
    assert [(row.status, row.count, row.last_sent) for row in bench.alerts()] == [("open", 0, None)]
    turn(bench, 2.0)
    bench.act()
    assert (bench.states(), bench.channels.sent) == (["failed", "cancelled"], [])
    assert [(row.status, row.count) for row in bench.alerts()] == [("resolved", 0)]


def notes(bench: Bench) -> list[str]:
    """The notes on the session."""
    return [note["text"] for note in bench.site.notes_of[("session", "e1")]]


def test_a_note_is_written_once(bench: Bench) -> None:
    """With the values behind the decision that asked for it, and a part of its key at the end."""
    turn(bench, 0.5)
    turn(bench, 0.5, 2.0, 0.4, rule="evidence")
    bench.act()
    turn(bench, 2.0, 0.3, rule="evidence")
    bench.act()
    key = bench.effects(kind="note")[0].once_key
    assert notes(bench) == [f"snr 0.5{suffix(key)}"]


def test_a_note_that_is_there_is_not_written_again(bench: Bench) -> None:
    """The ledger was lost; the site still has it."""
    turn(bench, 0.5, rule="evidence")
    bench.act()
    kept = dict(bench.site.notes_of)
    with Bench(RULES) as again:
        again.lab(qa(0.5))
        again.site.notes_of = kept
        turn(again, 0.5, rule="evidence")
        again.act()
        assert again.states() == ["done"]
        assert again.site.writes == []


@pytest.mark.parametrize("when", ["before", "after", "late"])
def test_an_unclear_note(bench: Bench, when: str) -> None:
    """Found, or looked for twice and sent again; once in the end."""
    bench.site.faults.add("add_note", UnknownOutcome("reset"), when=when)  # type: ignore[arg-type] # one of the three
    turn(bench, 0.5, rule="evidence")
    bench.act()
    bench.site.reads.clear()
    bench.wait(2)
    bench.site.faults.commit_late()
    bench.settle()
    assert len(notes(bench)) == 1
    assert bench.site.reads == ([("notes", True)] if when == "after" else [("notes", True)] * 2)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("method", ["notes", "add_note"])
def test_a_kill_around_the_note(bench: Bench, method: str, when: str) -> None:
    """Once in the end."""
    bench.site.faults.add(method, Killed(), when="before" if when == "before" else "after")
    turn(bench, 0.5, rule="evidence")
    bench.act()
    bench.restart()
    bench.settle()
    assert len(notes(bench)) == 1
