"""What a message says: one alert, or several as one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fakes.clock import START
from flyball.effects.messages import BODY, NAMED, TITLE, message_of
from flyball.model.effect import Effect, EffectState
from flyball.model.levels import Level
from flyball.model.node import Target


def item(number: int, **more: Any) -> dict[str, Any]:
    """One of several."""
    return {
        "effect": str(number),
        "id": f"fb-{number}",
        "rule": "r",
        "target": {"level": "session", "id": f"e{number}", "path": f"g/p/s/{number}"},
        "status": "open",
        "severity": "warning",
        "title": f"title {number}",
        "body": "",
        "since": (START + timedelta(hours=number)).isoformat(),
        **more,
    }


def effect(**params: Any) -> Effect:
    """A message that is about to be sent."""
    full = {"channel": "lab", "status": "open", "severity": "warning", "title": "t", "body": "b", **params}
    target = Target("main", Level.SESSION, "e1", "g/p/s/e")
    return Effect(
        id="7",
        site="main",
        rule="r",
        target=target,
        kind="alert",
        state=EffectState.RUNNING,
        once_key="fb-x",
        slot="0.alert",
        summary="",
        params=full,
        created=START,
        updated=START,
    )


def test_one() -> None:
    """The shape of one alert; the path is the one that may leave."""
    assert message_of(effect(path="g/p/s1/e1", alert="fb-x", since="then")) == {
        "id": "fb-x",
        "rule": "r",
        "target": {"level": "session", "id": "e1", "path": "g/p/s1/e1"},
        "status": "open",
        "severity": "warning",
        "title": "t",
        "body": "b",
        "since": "then",
    }


def test_a_title_is_one_bounded_line() -> None:
    """Line breaks and control characters are blanks; a body keeps its lines."""
    found = message_of(effect(title="a\r\nb\x00\u2028c" + "x" * 999, body="a\nb" + "y" * 9999))
    assert found["title"].startswith("a b cx")
    assert (len(found["title"]), len(found["body"])) == (TITLE, BODY)
    assert found["body"].startswith("a\nb")


def test_several_of_a_group() -> None:
    """Counted and named; the worst severity, the earliest beginning; the list has all of them."""
    items = [item(3), item(1, severity="error"), item(2)]
    found = message_of(effect(group={"id": "group-1", "by": {"project": "g/p", "gear": "mriqc"}}, items=items))
    assert found["id"] == "group-1"
    assert found["title"] == "3 alerts of r (g/p, mriqc): 3 open"
    assert found["body"].splitlines() == [f"- title {n} (g/p/s/{n})" for n in (3, 1, 2)]
    assert (found["severity"], found["since"]) == ("error", items[1]["since"])
    assert (found["count"], len(found["alerts"])) == (3, 3)
    assert "effect" not in found["alerts"][0]


def test_a_digest_says_how_each_stands() -> None:
    """It is open if anything is new; of several rules, their number."""
    items = [item(1), item(2, status="resolved", rule="q"), item(3, status="repeat")]
    found = message_of(effect(items=items))
    assert (found["id"], found["status"]) == ("digest-7", "open")
    assert found["title"] == "3 alerts of 2 rules: 1 open, 1 still open, 1 over"
    assert found["body"].splitlines()[1] == "- [over] title 2 (g/p/s/2)"


def test_many_are_not_all_named() -> None:
    """The rest is counted."""
    found = message_of(effect(items=[item(number) for number in range(NAMED + 5)]))
    assert found["body"].splitlines()[-1] == "… and 5 more"
    assert len(found["alerts"]) == NAMED + 5
