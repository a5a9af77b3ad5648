"""Tags by claims, from the decision to the site: whose a tag is, and what is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.bench import Bench
from flyball.model.errors import Refused, UnknownOutcome
from flyball.model.node import Presence
from unit.ledger.tag_lab import LOW, RULES, qa, tag_bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with tag_bench() as made:
        yield made


def test_a_tag_is_set_and_goes_again(bench: Bench) -> None:
    """While the condition is true it is there, afterwards it is not."""
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]
    assert bench.marks() == {LOW: "ours"}
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == []
    assert (bench.marks(), bench.claims()) == ({}, [])


@pytest.mark.parametrize(("first", "second"), [(("qc", "f1"), ("qc", "f2")), (("qc", "f1"), ("other", "f1"))])
def test_two_want_one_tag(bench: Bench, first: tuple[str, str], second: tuple[str, str]) -> None:
    """Two files, or two rules: it is set once, stays while one of them wants it, and goes with the last."""
    bench.change(qa(snr=0.5, motion=3.0))
    bench.decide(*first)
    bench.decide(*second)
    bench.act()
    assert [what for method, what in bench.site.writes] == [("acquisition", "a1", "LOW")]
    bench.change(qa(snr=2.0, motion=3.0))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]
    bench.change(qa(snr=2.0, motion=0.0), qa("f2", snr=2.0))
    bench.decide(*second)
    bench.act()
    assert bench.tags() == []


def test_a_tag_that_was_there_before_is_peoples(bench: Bench) -> None:
    """It is not set again and not removed."""
    bench.site.person_tags("acquisition", "a1", "LOW")
    bench.look_around()
    bench.decide("qc", "f1")
    bench.act()
    assert bench.marks() == {LOW: "people"}
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]
    assert bench.site.writes == []


def test_a_tag_that_a_person_set_since_the_last_poll_is_peoples(bench: Bench) -> None:
    """The site says 409: somebody else was quicker."""
    bench.site.person_tags("acquisition", "a1", "LOW")
    bench.decide("qc", "f1")
    bench.act()
    assert bench.marks() == {LOW: "people"}
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def test_an_unclear_post_that_arrived_is_ours(bench: Bench) -> None:
    """Absent when read, tried, there now: we set it. It is looked for no earlier than the site's wait, and once sent."""
    bench.site.faults.add("add_tag", UnknownOutcome("reset"), when="after")
    bench.decide("qc", "f1")
    bench.act()
    assert bench.states(kind="tag") == ["waiting"]
    assert bench.wait(1.9) == []
    bench.wait(0.1)
    assert bench.marks() == {LOW: "ours"}
    assert [method for method, _ in bench.site.writes] == ["add_tag"]
    assert bench.site.reads == [("tags", True)]


def test_an_unclear_post_that_did_not_arrive_is_sent_again(bench: Bench) -> None:
    """And a late first one, which makes the second a 409, leaves it ours."""
    bench.site.faults.add("add_tag", UnknownOutcome("time-out", timed_out=True), when="late")
    bench.decide("qc", "f1")
    bench.act()
    assert bench.wait(59) == []
    original = bench.site.tags

    async def read_then_late(level: str, ident: str, *, fresh: bool = False) -> list[str]:
        found = await original(level, ident, fresh=fresh)
        bench.site.faults.commit_late()  # between our look and our second request
        return found

    bench.site.tags = read_then_late  # type: ignore[method-assign] # a fault at this very moment
    bench.wait(1)
    assert bench.tags() == ["LOW"]
    assert bench.marks() == {LOW: "ours"}


def test_one_that_a_person_removed_is_not_set_again_until_it_was_false_in_between(bench: Bench) -> None:
    """Ours, removed by hand: respected until the condition has been false."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.person_untags("acquisition", "a1", "LOW")
    bench.look_around()
    bench.change(qa(snr=0.4))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.tags(), bench.marks()) == ([], {LOW: "removed"})
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.change(qa(snr=0.4))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.tags(), bench.marks()) == (["LOW"], {LOW: "ours"})


def test_one_that_a_person_put_back_after_removing_it_is_theirs(bench: Bench) -> None:
    """Removed by hand and set by hand: it stays when the condition turns false, though no rule decided in between."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.person_untags("acquisition", "a1", "LOW")
    bench.look_around()
    bench.site.person_tags("acquisition", "a1", "LOW")
    bench.look_around()
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def test_unknown_changes_nothing(bench: Bench) -> None:
    """Neither sets nor removes."""
    bench.change(qa(snr=None))
    bench.decide("qc", "f1")
    assert (bench.claims(), bench.effects()) == ([], [])
    bench.change(qa(snr=0.5))
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa())
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def test_a_rule_edited_from_one_tag_to_another(bench: Bench) -> None:
    """The old one goes, the new one comes; a person's tag of the old name stays."""
    bench.decide("qc", "f1")
    bench.act()
    bench.load(RULES.replace("{LOW: file.info.snr < 1.0}", "{POOR: file.info.snr < 1.0}"))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["POOR"]
    assert bench.claims() == [("qc", "f1", "0/POOR")]


def test_an_entry_put_before_it_does_not_touch_the_tag(bench: Bench) -> None:
    """Entries are counted among their kind; nothing is written."""
    bench.decide("qc", "f1")
    bench.act()
    bench.load(
        RULES.replace(
            "      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}",
            "      - note: {on: acquisition, text: x, when: 'false'}\n"
            "      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}",
        )
    )
    bench.decide("qc", "f1")
    bench.act()
    assert bench.claims() == [("qc", "f1", "0/LOW")]
    assert len(bench.site.writes) == 1


@pytest.mark.parametrize(("presence", "kept"), [(Presence.GONE, []), (Presence.HIDDEN, ["LOW"])])
def test_a_target_that_is_not_shown_any_more(bench: Bench, presence: Presence, kept: list[str]) -> None:
    """Gone means no, hidden means unknown."""
    bench.decide("qc", "f1")
    bench.act()
    bench.see(replace(qa(snr=0.5), presence=presence))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == kept


def test_the_decision_flips_before_the_effect_begins(bench: Bench) -> None:
    """Nothing is sent; and when it flips once more, it is."""
    bench.decide("qc", "f1")
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.site.writes, bench.states(), bench.marks()) == ([], ["cancelled"], {})
    bench.change(qa(snr=0.5))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def flips_while_running(bench: Bench, operation: str, *snr: float) -> None:
    """Carry out what is due; while the request is under way, the file changes and the rule decides."""
    original = getattr(bench.site, operation)

    async def during(level: str, ident: str, tag: str) -> bool | None:
        answer: bool | None = await original(level, ident, tag)
        setattr(bench.site, operation, original)
        for value in snr:
            bench.change(qa(snr=value))
            bench.decide("qc", "f1")
        return answer

    setattr(bench.site, operation, during)
    bench.act()


def test_the_decision_flips_while_the_effect_runs(bench: Bench) -> None:
    """It is set and taken off again at once."""
    bench.decide("qc", "f1")
    flips_while_running(bench, "add_tag", 2.0)
    assert [method for method, _ in bench.site.writes] == ["add_tag", "remove_tag"]
    assert (bench.tags(), bench.marks()) == ([], {})


def test_it_is_wanted_again_while_it_is_removed(bench: Bench) -> None:
    """It is set again at once."""
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    flips_while_running(bench, "remove_tag", 0.5)
    assert (bench.tags(), bench.marks()) == (["LOW"], {LOW: "ours"})


def test_it_flips_to_and_fro_while_it_runs(bench: Bench) -> None:
    """Yes, no, yes during the request: nothing more is sent."""
    bench.decide("qc", "f1")
    flips_while_running(bench, "add_tag", 2.0, 0.5)
    assert [method for method, _ in bench.site.writes] == ["add_tag"]
    assert bench.tags() == ["LOW"]


@pytest.mark.parametrize("arrived", [True, False])
def test_the_decision_flips_while_the_end_is_unclear(bench: Bench, arrived: bool) -> None:
    """What arrived is taken off; what did not is not sent."""
    bench.site.faults.add("add_tag", UnknownOutcome("reset"), when="after" if arrived else "before")
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.settle()
    assert [method for method, _ in bench.site.writes] == (["add_tag", "remove_tag"] if arrived else [])
    assert (bench.tags(), bench.marks()) == ([], {})


def test_removed_twice_does_not_touch_what_a_person_set_in_between(bench: Bench) -> None:
    """No, yes, no before anything is carried out: one removal, not two."""
    bench.decide("qc", "f1")
    bench.act()
    for snr in (2.0, 0.5, 2.0):
        bench.change(qa(snr=snr))
        bench.decide("qc", "f1")
    bench.act()
    assert [method for method, _ in bench.site.writes] == ["add_tag", "remove_tag"]


def test_a_tag_that_may_not_be_set_is_tried_once_until_it_was_false_or_a_person_says_retry(bench: Bench) -> None:
    """403: failed, with its reason; new decisions do not repeat it."""
    bench.site.faults.add("add_tag", Refused("the key may not", status=403))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.states(), bench.marks()) == (["failed"], {LOW: "failed"})
    assert bench.effects()[0].error == "the key may not"
    bench.change(qa(snr=0.4))
    bench.decide("qc", "f1")
    bench.decide("qc", "f2")
    assert bench.act() == []
    bench.change(qa(snr=2.0), qa("f2", snr=2.0))
    bench.decide("qc", "f1", "f2")
    bench.change(qa(snr=0.4))
    bench.decide("qc", "f1")
    bench.act()
    assert bench.tags() == ["LOW"]


def test_when_over_leave(bench: Bench) -> None:
    """The tag stays, and is nobody's business any more."""
    bench.change(qa(old=2.0))
    bench.decide("keeper", "f1")
    bench.act()
    bench.change(qa(old=0.0))
    bench.decide("keeper", "f1")
    bench.act()
    assert (bench.tags(), bench.marks(), bench.claims()) == (["LOW"], {}, [])


def test_when_over_leave_holds_for_one_that_turned_false_while_it_was_set(bench: Bench) -> None:
    """What was set stays, also when nobody wants it at the moment at which it is."""
    bench.change(qa(old=2.0))
    bench.decide("keeper", "f1")
    original = bench.site.add_tag

    async def during(level: str, ident: str, tag: str) -> bool:
        bench.change(qa(old=0.0))
        bench.decide("keeper", "f1")
        return await original(level, ident, tag)

    bench.site.add_tag = during  # type: ignore[method-assign] # the moment matters
    bench.act()
    assert bench.tags() == ["LOW"]
