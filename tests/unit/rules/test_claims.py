"""Claims, marks and the book that holds them."""

from __future__ import annotations

import pytest

from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.rules.claims import Book, Claim, Planned, container_of, subject_of

CONTAINER = {"level": "acquisition", "id": "a1", "path": "scien/tome/1001/S/T1w"}


def claim(rule: str = "r", target: str = "f1", tag: str = "LOW", *, holds: bool = False) -> Claim:
    """A rule wants a tag for a file."""
    about = Target("main", Level.FILE, target)
    params = {"container": CONTAINER, "tag": tag}
    return Claim(rule, about, f"0.{tag}", "tag", "fb-k", params, "retract", subject_of(params), holds)


@pytest.mark.parametrize("ident", ["a1", "64a0/b.nii.gz", "64a0/a/b.nii.gz"])
@pytest.mark.parametrize("tag", ["LOW", "ü, #", "a b"])
def test_a_subject_goes_there_and_back(ident: str, tag: str) -> None:
    """Also where a file's id holds slashes, as on sites without file ids."""
    subject = subject_of({"container": {"level": "file", "id": ident}, "tag": tag})
    assert container_of(subject) == ("file", ident, tag)


def test_the_book_knows_who_wants_a_tag() -> None:
    """Until the last one drops it; those that need nobody's yes come first."""
    book = Book()
    book.add_claim(claim("a", holds=True))
    book.add_claim(claim("b"))
    assert [one.rule for one in book.wanting("main", "acquisition/a1/LOW")] == ["b", "a"]
    book.drop_claim(claim("a", holds=True))
    assert book.is_wanted("main", "acquisition/a1/LOW")
    book.drop_claim(claim("b"))
    assert not book.is_wanted("main", "acquisition/a1/LOW")
    assert set(book.changed_claims.values()) == {None}


def test_dropping_what_is_not_there() -> None:
    """Is no error."""
    book = Book()
    book.drop_claim(claim())
    assert not book.is_wanted("main", "acquisition/a1/LOW")


def test_marks_are_noted_with_their_change() -> None:
    """None takes a mark away."""
    book = Book(marks={("main", "x"): "ours"})
    book.set_mark("main", "x", None)
    book.set_mark("main", "y", "trying")
    assert (book.marks, book.changed_marks) == (
        {("main", "y"): "trying"},
        {("main", "x"): None, ("main", "y"): "trying"},
    )


def test_taking_over_undoes_nothing() -> None:
    """What was worked out stands; what was not known is added."""
    book, loaded = Book(), Book()
    book.set_mark("main", "acquisition/a1/LOW", None)
    book.singles["fb-a"] = EffectState.PLANNED
    loaded.marks[("main", "acquisition/a1/LOW")] = "ours"
    loaded.marks[("main", "other")] = "people"
    loaded.singles = {"fb-a": EffectState.DONE, "fb-b": EffectState.DONE}
    loaded.tries[("main", "other")] = {"held"}
    loaded.present[("main", "other")] = True
    loaded.remember(claim())
    book.take_over(loaded)
    assert book.marks == {("main", "other"): "people"}
    assert book.singles == {"fb-a": EffectState.PLANNED, "fb-b": EffectState.DONE}
    assert book.tries == {("main", "other"): {"held"}}
    assert book.is_wanted("main", "acquisition/a1/LOW")


def test_lanes() -> None:
    """What concerns one tag is done in order, whoever asks; so is what has one key."""
    target = Target("main", Level.FILE, "f1")
    params = {"container": CONTAINER, "tag": "LOW"}
    tag = Planned("r", target, "tag", "fb-k", "0/LOW", "", params, single=False)
    note = Planned("r", target, "note", "fb-k", "0.note", "", {}, single=True)
    assert (tag.lane, note.lane) == ("main/acquisition/a1/LOW", "main/fb-k")
