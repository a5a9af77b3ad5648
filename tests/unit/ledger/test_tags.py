"""Tags by claims, from the decision to the site: whose a tag is, and what is never touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.bench import Bench, Killed, node
from flyball.model.errors import Gone, Permanent, Refused, Transient, UnknownOutcome
from flyball.model.node import Node, Presence

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}
  - id: other
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.motion > 2.0}}
  - id: keeper
    each: file
    since: all
    when_over: leave
    do:
      - tag: {on: acquisition, set: {LOW: file.info.old > 1}}
  - id: on-file
    each: file
    since: all
    do:
      - tag: {on: file, set: {BAD: file.info.snr < 1.0}}
  - id: on-all
    each: file
    since: all
    do:
      - tag: {on: project, set: {P: file.info.snr < 1.0}}
      - tag: {on: subject, set: {S: file.info.snr < 1.0}}
      - tag: {on: session, set: {E: file.info.snr < 1.0}}
"""
LOW = "acquisition/a1/LOW"


def qa(ident: str = "f1", **info: float | None) -> Node:
    """A QA file of the acquisition."""
    return node("file", ident, name=f"{ident}.html", info=info)


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(qa(snr=0.5), qa("f2", snr=0.5))
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
    assert bench.claims() == [("qc", "f1", "0.POOR")]


def test_an_entry_put_before_it_does_not_touch_the_tag(bench: Bench) -> None:
    """The claim moves to its new place; nothing is written."""
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
    assert bench.claims() == [("qc", "f1", "1.LOW")]
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


def test_tags_on_every_level(bench: Bench) -> None:
    """On the file itself, and on session, subject and project above it."""
    bench.decide("on-file", "f1")
    bench.decide("on-all", "f1")
    bench.act()
    assert bench.tags("file", "f1") == ["BAD"]
    assert (bench.tags("session", "e1"), bench.tags("subject", "s1"), bench.tags("project", "p1")) == (
        ["E"],
        ["S"],
        ["P"],
    )
    bench.change(qa(snr=2.0))
    bench.decide("on-file", "f1")
    bench.decide("on-all", "f1")
    bench.act()
    assert not any((bench.tags("file", "f1"), bench.tags("session", "e1"), bench.tags("project", "p1")))


def test_a_tag_that_a_person_put_on_the_file_meanwhile_is_theirs(bench: Bench) -> None:
    """A site does not say whether a file had the tag: it is read first."""
    bench.site.person_tags("file", "f1", "BAD")
    bench.decide("on-file", "f1")
    bench.act()
    assert bench.marks() == {"file/f1/BAD": "people"}
    assert bench.site.writes == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_tag_whose_answer_got_lost_is_ours(bench: Bench, when: str) -> None:
    """The request may be repeated without harm, but the tag may be there by now."""
    bench.site.faults.add("add_tag", Transient("reset"), when="after" if when == "after" else "before")
    bench.decide("on-file", "f1")
    bench.settle()
    assert bench.tags("file", "f1") == ["BAD"]
    assert bench.marks() == {"file/f1/BAD": "ours"}


def test_a_file_that_hangs_on_a_session_has_no_acquisition(bench: Bench) -> None:
    """Nothing is done, and the decision says why."""
    loose = node("file", "f3", parents={"group": "scien", "project": "p1", "subject": "s1", "session": "e1"}, info={})
    bench.see(replace(loose, doc={**loose.doc, "info": {"snr": 0.1}}))
    decision = bench.decide("qc", "f3")[0]
    assert "the file has no acquisition: cannot tag it" in [line.note for line in decision.because]
    assert bench.effects() == []


def test_a_site_without_an_address_for_file_tags(bench: Bench) -> None:
    """Failed with the reason; not tried again and again."""
    bench.site.file_tags = False
    bench.decide("on-file", "f1")
    bench.act()
    assert bench.states() == ["failed"]
    assert "no address for the tags of single files" in bench.effects()[0].error
    bench.decide("on-file", "f1")
    assert bench.settle() == []


def hidden(one: Node) -> Node:
    """The node as a list that does not show tags gives it."""
    return replace(one, tags_known=False, doc={key: value for key, value in one.doc.items() if key != "tags"})


def test_where_lists_hide_tags_they_are_read_first(bench: Bench) -> None:
    """Absent when read: that is stored, then the tag is set. There when read: it is people's."""
    bench.see(hidden(node("acquisition", "a1")))
    bench.decide("qc", "f1")
    outcomes = [str(report.outcome) for report in bench.act()]
    assert outcomes == ["waiting", "done"]
    assert (bench.tags(), bench.marks()) == (["LOW"], {LOW: "ours"})


def test_where_lists_hide_tags_a_kill_before_the_first_look_takes_over_nothing(bench: Bench) -> None:
    """The tag was people's all along; a daemon that was killed before it could look must not think it its own."""
    bench.see(hidden(node("acquisition", "a1")))
    bench.site.person_tags("acquisition", "a1", "LOW")
    bench.site.faults.add("tags", Killed(), when="before")
    bench.decide("qc", "f1")
    bench.act()
    bench.restart()
    bench.settle()
    assert bench.marks() == {LOW: "people"}
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.settle()
    assert bench.tags() == ["LOW"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("lists_show_tags", [True, False])
def test_a_kill_around_the_request(bench: Bench, when: str, lists_show_tags: bool) -> None:
    """The tag is there once, it is ours, and it goes when it should."""
    if not lists_show_tags:
        bench.see(hidden(node("acquisition", "a1")))
    bench.site.faults.add("add_tag", Killed(), when="before" if when == "before" else "after")
    bench.decide("qc", "f1")
    bench.act()
    assert bench.restart() == 1
    bench.settle()
    assert (bench.tags(), bench.marks()) == (["LOW"], {LOW: "ours"})
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.settle()
    assert bench.tags() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_kill_around_the_removal(bench: Bench, when: str) -> None:
    """It is gone afterwards."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.faults.add("remove_tag", Killed(), when="before" if when == "before" else "after")
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    bench.restart()
    bench.settle()
    assert (bench.tags(), bench.marks()) == ([], {})


@pytest.mark.parametrize("arrived", [True, False])
def test_a_removal_whose_answer_got_lost_and_that_is_wanted_again(bench: Bench, arrived: bool) -> None:
    """If it was carried out, the tag is set anew; it is not taken for a person's doing."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.faults.add("remove_tag", Transient("reset"), when="after" if arrived else "before")
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa(snr=0.5))
    bench.decide("qc", "f1")
    bench.settle()
    assert (bench.tags(), bench.marks()) == (["LOW"], {LOW: "ours"})
    assert len(bench.site.writes) == (3 if arrived else 1)


def test_a_removal_that_was_turned_away_and_is_wanted_again(bench: Bench) -> None:
    """429: nothing was done, and nothing need be asked."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.faults.add("remove_tag", Transient("busy", status=429, wait=1))
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    bench.change(qa(snr=0.5))
    bench.decide("qc", "f1")
    bench.settle()
    assert (bench.tags(), len(bench.site.writes)) == (["LOW"], 1)


def test_a_container_that_is_gone(bench: Bench) -> None:
    """Setting fails for good; nothing is left when the target is gone as well."""
    del bench.site.tags_of[("acquisition", "a1")]
    bench.decide("qc", "f1")
    bench.act()
    assert bench.states() == ["failed"]
    bench.see(replace(qa(snr=0.5), presence=Presence.GONE))
    bench.decide("qc", "f1")
    assert (bench.settle(), bench.marks(), bench.claims()) == ([], {}, [])


def test_a_refused_removal_is_kept_as_ours(bench: Bench) -> None:
    """It failed, is shown, and the tag is still known to be ours."""
    bench.decide("qc", "f1")
    bench.act()
    bench.site.faults.add("remove_tag", Permanent("locked", status=400))
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.states(), bench.marks()) == (["done", "failed"], {LOW: "ours"})


def test_a_session_that_moves_takes_the_claim_along(bench: Bench) -> None:
    """The tag goes from the old container to the new one."""
    bench.decide("on-all", "f1")
    bench.act()
    bench.see(node("subject", "s2"))
    bench.site.add_container("subject", "s2")
    elsewhere = {"group": "scien", "project": "p1", "subject": "s2", "session": "e1", "acquisition": "a1"}
    bench.see(node("file", "f1", parents=elsewhere, name="f1.html", info={"snr": 0.5}))
    bench.decide("on-all", "f1")
    bench.act()
    assert (bench.tags("subject", "s1"), bench.tags("subject", "s2")) == ([], ["S"])


def test_a_gone_container_is_no_trouble_when_a_tag_is_removed(bench: Bench) -> None:
    """There is nothing left to remove it from."""
    bench.decide("qc", "f1")
    bench.act()
    del bench.site.tags_of[("acquisition", "a1")]
    bench.change(qa(snr=2.0))
    bench.decide("qc", "f1")
    bench.act()
    assert (bench.states(), bench.marks()) == (["done", "done"], {})
    assert not isinstance(bench.ends[-1][1].error, Gone)
