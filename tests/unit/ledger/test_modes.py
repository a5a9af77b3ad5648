"""How far a rule may go: shadow, approve, paused; and what a person may say to its effects."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fakes.bench import Bench, node
from flyball.ledger.steering import approve, pause, reject, resume, retry
from flyball.model.errors import Refused, UnknownOutcome
from flyball.model.node import Node

RULES = """
rules:
  - id: asks
    each: file
    since: all
    mode: approve
    do:
      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}
  - id: free
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.motion > 2.0}}
  - id: asks-launch
    each: file
    since: all
    mode: approve
    if: file.info.snr < 1.0
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}}
      - alert: {title: low}
  - id: dark
    each: file
    since: all
    mode: shadow
    if: file.info.snr < 1.0
    do:
      - tag: {on: acquisition, set: {LOW: 'true'}}
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}}
"""


def qa(snr: float | None = None, motion: float | None = None, ident: str = "f1") -> Node:
    """A QA file of the acquisition."""
    return node("file", ident, name=f"{ident}.html", info={"snr": snr, "motion": motion})


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(qa(0.5), qa(0.5, ident="f2"))
        made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        yield made


def say(bench: Bench, verb: object, ident: int | str) -> None:
    """A person says something."""
    bench.ledger.do(lambda connection: verb(connection, str(ident), bench.clock.now()))  # type: ignore[operator] # a move


def test_approve_holds_until_a_person_says_yes(bench: Bench) -> None:
    """Nothing is sent before."""
    bench.decide("asks", "f1")
    bench.act()
    assert (bench.states(), bench.site.writes) == (["held"], [])
    bench.decide("asks", "f1", "f2")
    assert bench.states() == ["held"]
    say(bench, approve, 1)
    bench.act()
    assert (bench.tags(), bench.states()) == (["LOW"], ["done"])


def test_what_was_approved_is_taken_back_without_asking(bench: Bench) -> None:
    """Retractions are never held."""
    bench.decide("asks", "f1")
    say(bench, approve, 1)
    bench.act()
    bench.change(qa(2.0))
    bench.decide("asks", "f1")
    bench.act()
    assert bench.tags() == []


def test_a_rejected_effect_does_not_come_back(bench: Bench) -> None:
    """Until the condition has been false."""
    bench.decide("asks", "f1")
    say(bench, reject, 1)
    bench.change(qa(0.4))
    bench.decide("asks", "f1", "f2")
    assert bench.states() == ["cancelled"]
    bench.change(qa(2.0), qa(2.0, ident="f2"))
    bench.decide("asks", "f1", "f2")
    bench.change(qa(0.4))
    bench.decide("asks", "f1")
    assert bench.states() == ["cancelled", "held"]


def test_what_is_held_and_wanted_no_longer_is_cancelled(bench: Bench) -> None:
    """Nobody is asked for what nobody wants."""
    bench.decide("asks-launch", "f1")
    bench.decide("asks", "f1")
    bench.change(qa(2.0))
    bench.decide("asks-launch", "f1")
    bench.decide("asks", "f1")
    bench.act()
    assert set(bench.states()) == {"cancelled"}
    assert bench.marks() == {}
    bench.change(qa(0.5))
    bench.decide("asks-launch", "f1")
    assert bench.states(state="held") == ["held", "held"]


def test_the_second_who_asks_is_held_when_the_first_wants_it_no_longer(bench: Bench) -> None:
    """Two files want one tag; what waits for a person is one effect, as long as one of them does."""
    bench.decide("asks", "f1")
    bench.decide("asks", "f2")
    bench.change(qa(2.0))
    bench.decide("asks", "f1")
    assert [(row.target, row.state) for row in bench.effects()] == [("f1", "cancelled"), ("f2", "held")]


def test_a_live_rule_does_not_wait_for_the_yes_that_another_rule_needs(bench: Bench) -> None:
    """It sets the tag; the effect that was held is needless then."""
    bench.decide("asks", "f1")
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    assert (bench.tags(), bench.states()) == (["LOW"], ["held", "done"])
    say(bench, approve, 1)
    bench.act()
    assert (bench.states(), bench.marks()) == (["cancelled", "done"], {"acquisition/a1/LOW": "ours"})


def test_a_rule_that_becomes_live_lets_its_held_effects_go(bench: Bench) -> None:
    """Each as soon as it is decided again."""
    bench.decide("asks-launch", "f1")
    bench.decide("asks", "f1")
    bench.load(RULES.replace("    mode: approve\n", ""))
    bench.decide("asks-launch", "f1")
    bench.decide("asks", "f1")
    bench.act()
    assert set(bench.states()) == {"done"}


def test_shadow_records_and_does_nothing(bench: Bench) -> None:
    """Each thing once, and no claims."""
    for snr in (0.5, 0.4, 2.0, 0.3):
        bench.change(qa(snr))
        bench.decide("dark", "f1")
    bench.act()
    assert (bench.states(), bench.claims(), bench.marks(), bench.site.writes) == (["shadow", "shadow"], [], {}, [])


def test_shadow_shows_what_run_would_do(bench: Bench) -> None:
    """A tag that is there already would not be set."""
    bench.site.person_tags("acquisition", "a1", "LOW")
    bench.look_around()
    bench.decide("dark", "f1")
    assert [row.kind for row in bench.effects()] == ["launch"]


def test_a_shadow_that_becomes_live_acts(bench: Bench) -> None:
    """What was only recorded is done now."""
    bench.decide("dark", "f1")
    bench.load(RULES.replace("mode: shadow", "mode: live"))
    bench.decide("dark", "f1")
    bench.act()
    assert bench.states() == ["shadow", "shadow", "done", "done"]


@pytest.mark.parametrize("how", ["by a person", "by its mode", "taken out"])
def test_a_stopped_rule_starts_nothing_more(bench: Bench, how: str) -> None:
    """What it planned waits; when it goes on, so does that."""
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    if how == "by a person":
        say(bench, pause, "free")
    elif how == "by its mode":
        bench.load(RULES.replace("  - id: free\n", "  - id: free\n    mode: paused\n"))
    else:
        bench.load(RULES.replace("  - id: free\n", "  - id: liberal\n"))
    assert (bench.act(), bench.states(), bench.site.writes) == ([], ["planned"], [])
    assert "rule free is" in bench.effects()[0].error
    say(bench, resume, "free")
    bench.load(RULES)
    bench.act()
    assert bench.tags() == ["LOW"]


def test_a_paused_rule_still_takes_back(bench: Bench) -> None:
    """What was planned to be removed is."""
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    bench.change(qa(0.5, motion=0.0))
    bench.decide("free", "f1")
    say(bench, pause, "free")
    bench.act()
    assert bench.tags() == []


def test_a_live_rule_does_not_wait_for_a_paused_one(bench: Bench) -> None:
    """Both want one tag; the paused rule's effect stands first. Asked again, it is set for the other."""
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    say(bench, pause, "free")
    bench.act()
    bench.load(RULES.replace("mode: approve", "mode: live"))
    bench.decide("asks", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def test_retry_of_a_tag_that_could_not_be_set(bench: Bench) -> None:
    """The permission was mended."""
    bench.site.faults.add("add_tag", Refused("no", status=403))
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    say(bench, retry, 1)
    bench.act()
    assert (bench.tags(), bench.marks()) == (["LOW"], {"acquisition/a1/LOW": "ours"})


def test_retry_begins_to_count_anew(bench: Bench) -> None:
    """A person's word is worth as many attempts as the first time."""
    bench.load(RULES.replace("  - id: free\n", "  - id: free\n    retry: {attempts: 2, backoff: [1s, 1s]}\n"))
    bench.site.faults.add("add_tag", Refused("no", status=403))
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    say(bench, retry, 1)
    assert bench.effects()[0].failures == 0


def test_retry_of_what_nobody_wants_any_more(bench: Bench) -> None:
    """It is cancelled, and says so."""
    bench.site.faults.add("add_tag", Refused("no", status=403))
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    bench.change(qa(0.5, motion=0.0))
    bench.decide("free", "f1")
    say(bench, retry, 1)
    bench.act()
    assert (bench.states(), bench.effects()[0].error) == (["cancelled"], "no longer wanted")


def test_retry_does_not_hurry_an_unclear_end(bench: Bench) -> None:
    """The site is asked no earlier than its wait, or a late commit would be doubled."""
    bench.site.faults.add("add_tag", UnknownOutcome("time-out", timed_out=True))
    bench.change(qa(0.5, motion=3.0))
    bench.decide("free", "f1")
    bench.act()
    with pytest.raises(ValueError, match="not known yet"):
        say(bench, retry, 1)
