"""Tags on every level and in bad weather: files, lists that hide tags, lost answers, kills, what is gone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.bench import Bench, Killed, node
from flyball.model.errors import Gone, Permanent, Transient
from flyball.model.node import Node, Presence
from unit.ledger.tag_lab import LOW, qa, tag_bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    with tag_bench() as made:
        yield made


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
