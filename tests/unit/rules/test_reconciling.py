"""Wishes against claims and marks: which effects follow."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.model.decision import Verdict, Wish
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.rules.claims import Book, Mark
from flyball.rules.reconciling import reconcile, settle_tag

SUBJECT = ("main", "acquisition/a1/LOW")
CONTAINER = {"level": "acquisition", "id": "a1", "path": "scien/tome/1001/S/T1w"}


def target(ident: str = "f1") -> Target:
    """A file."""
    return Target("main", Level.FILE, ident, f"scien/tome/1001/S/T1w/{ident}")


def tag(want: Verdict = Verdict.YES, name: str = "LOW", slot: str = "0/LOW", over: str = "retract") -> Wish:
    """A wish for a tag."""
    return Wish("tag", want, {"container": CONTAINER, "tag": name}, f"fb-{name}", "", slot, over=over)


def once(kind: str, want: Verdict = Verdict.YES, key: str = "fb-once", **params: Any) -> Wish:
    """A wish for something that happens once, or an alert."""
    over = "resolve" if kind == "alert" else "leave"
    return Wish(kind, want, params, key, f"{kind} it", f"0.{kind}", over=over)


def decide(book: Book, *wishes: Wish, rule: str = "r", ident: str = "f1", **more: Any) -> list[str]:
    """The summaries of what a decision needs."""
    exhaustive = more.pop("exhaustive", True)
    return [one.summary for one in reconcile(rule, target(ident), wishes, exhaustive=exhaustive, book=book, **more)]


ADD = ["+ tag LOW  scien/tome/1001/S/T1w"]
REMOVE = ["- tag LOW  scien/tome/1001/S/T1w"]


@pytest.mark.parametrize(
    ("wanted", "mark", "present", "operation", "after"),
    [
        (True, None, False, "add", "trying"),
        (True, None, None, "add", "trying"),
        (True, None, True, None, "people"),
        (True, "ours", True, None, "ours"),
        (True, "ours", None, None, "ours"),
        (True, "ours", False, None, "removed"),
        (True, "people", True, None, "people"),
        (True, "people", False, None, "removed"),
        (True, "removed", False, None, "removed"),
        (True, "removed", True, None, "removed"),
        (True, "failed", False, None, "failed"),
        (False, None, True, None, None),
        (False, None, False, None, None),
        (False, "trying", False, None, "trying"),
        (False, "ours", True, "remove", "ours"),
        (False, "ours", None, "remove", "ours"),
        (False, "ours", False, None, None),
        (False, "people", True, None, None),
        (False, "removed", False, None, None),
        (False, "removed", True, None, None),
        (False, "failed", False, None, None),
    ],
)
def test_every_state_of_a_tag(
    wanted: bool, mark: Mark | None, present: bool | None, operation: str | None, after: Mark | None
) -> None:
    """What must be done, and whose it is then: people's tags are never removed, whatever happens."""
    book = Book(present={SUBJECT: present})
    if wanted:
        decide(book, tag())
        book.changed_marks.clear()
        book.tries.clear()
    book.marks.clear()
    if mark is not None:
        book.marks[SUBJECT] = mark
    assert settle_tag(book, *SUBJECT) == operation
    assert book.marks.get(SUBJECT) == after


@pytest.mark.parametrize(
    ("tries", "holds", "operation"),
    [
        (set(), False, "add"),
        (set(), True, "add"),
        ({"moving"}, False, None),
        ({"moving"}, True, None),
        ({"held"}, False, "add"),
        ({"held"}, True, None),
        ({"held", "moving"}, False, None),
    ],
)
def test_a_tag_that_is_being_tried(tries: set[Any], holds: bool, operation: str | None) -> None:
    """One effect on its way is enough; one that waits for a person is not, for a rule that need not ask."""
    book = Book(present={SUBJECT: False})
    decide(book, tag())
    book.tries[SUBJECT] = tries
    assert settle_tag(book, *SUBJECT, holds=holds) == operation


def test_a_tag_comes_and_goes() -> None:
    """Asked for once, and taken back once."""
    book = Book(present={SUBJECT: False})
    assert decide(book, tag()) == ADD
    assert decide(book, tag()) == []
    book.marks[SUBJECT] = "ours"
    book.present[SUBJECT] = True
    assert decide(book, tag(Verdict.UNKNOWN)) == []
    assert decide(book, tag(Verdict.NO)) == REMOVE
    assert decide(book, tag(Verdict.NO)) == []


def test_two_claims_are_a_union() -> None:
    """Of two rules, or two targets: the last one takes it away, in its own name."""
    book = Book(present={SUBJECT: False})
    assert decide(book, tag(), rule="a") == ADD
    assert decide(book, tag(), rule="b", ident="f2") == []
    book.marks[SUBJECT] = "ours"
    book.present[SUBJECT] = True
    assert decide(book, tag(Verdict.NO), rule="a") == []
    planned = reconcile("b", target("f2"), [tag(Verdict.NO)], exhaustive=True, book=book)
    assert [(one.rule, one.target.id, one.retracts) for one in planned] == [("b", "f2", True)]


def test_what_is_not_wished_any_more_goes() -> None:
    """When the wishes are all there is; when the target cannot be read, it stays."""
    book = Book(present={SUBJECT: False})
    decide(book, tag())
    book.marks[SUBJECT] = "ours"
    book.present[SUBJECT] = True
    assert decide(book, exhaustive=False) == []
    assert decide(book) == REMOVE


def test_an_edited_rule_moves_from_tag_to_tag() -> None:
    """At the same place in `do` or at another one; an unchanged tag at another place is not touched."""
    book = Book(present={SUBJECT: False, ("main", "acquisition/a1/POOR"): False})
    decide(book, tag())
    book.marks[SUBJECT] = "ours"
    book.present[SUBJECT] = True
    assert decide(book, tag(slot="1/LOW")) == []
    assert decide(book, tag(name="POOR", slot="1/LOW")) == [*REMOVE, "+ tag POOR  scien/tome/1001/S/T1w"]


def test_leave() -> None:
    """The tag stays; it is nobody's business then."""
    book = Book(present={SUBJECT: False})
    planned = reconcile("r", target(), [tag(over="leave")], exhaustive=True, book=book)
    assert planned[0].params["leave"] is True
    book.marks[SUBJECT] = "ours"
    assert decide(book, tag(Verdict.NO, over="leave")) == []
    assert book.marks == {}


def test_what_happens_once() -> None:
    """A key that has an effect, in whatever state, has no second one; a new key has."""
    book = Book()
    assert decide(book, once("launch")) == ["launch it"]
    assert decide(book, once("launch")) == []
    assert decide(book, once("launch", Verdict.NO)) == []
    assert decide(book, once("launch")) == []
    assert decide(book, once("launch", key="fb-new")) == ["launch it"]
    assert decide(Book(singles={"fb-once": EffectState.FAILED}), once("launch")) == []


def test_an_alert() -> None:
    """Opened once, resolved once; its text is kept up to date."""
    book = Book()
    planned = reconcile("r", target(), [once("alert", title="a")], exhaustive=True, book=book)
    assert [one.params["status"] for one in planned] == ["open"]
    book.changed_claims.clear()
    assert decide(book, once("alert", title="a")) == []
    assert book.changed_claims == {}
    assert decide(book, once("alert", title="b")) == []
    assert [one.params["title"] for one in book.changed_claims.values() if one is not None] == ["b"]
    planned = reconcile("r", target(), [once("alert", Verdict.NO)], exhaustive=True, book=book)
    assert [(one.params["status"], one.params["title"], one.retracts) for one in planned] == [("resolved", "b", True)]
    assert decide(book, once("alert", Verdict.NO)) == []


def test_an_entry_that_becomes_another_kind_at_its_place() -> None:
    """The old claim is withdrawn as its own kind is."""
    book = Book(present={SUBJECT: False})
    decide(book, tag(slot="0"))
    book.marks[SUBJECT] = "ours"
    book.present[SUBJECT] = True
    assert decide(book, Wish("note", Verdict.YES, {}, "fb-n", "note it", "0")) == [*REMOVE, "note it"]


def test_a_rule_that_asks_for_a_yes_is_noted_with_its_claim() -> None:
    """So that whatever follows later is held as well."""
    book = Book(present={SUBJECT: False})
    decide(book, tag(), holds=True)
    assert [claim.holds for claim in book.wanting(*SUBJECT)] == [True]
    decide(book, tag())
    assert [claim.holds for claim in book.wanting(*SUBJECT)] == [False]
