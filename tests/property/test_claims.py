"""Claims and marks against a simple model: sets of who wants what, and a site that does as it is asked."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.model.decision import Verdict, Wish
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.rules.claims import ADD, REMOVE, Book
from flyball.rules.reconciling import reconcile, settle_tag

CONTAINER = {"level": "acquisition", "id": "a1", "path": "a1"}
RULES, TARGETS, TAGS = ("r", "s"), ("f1", "f2"), ("A", "B")

DECISIONS = st.tuples(
    st.sampled_from(RULES),
    st.sampled_from(TARGETS),
    st.dictionaries(st.sampled_from(TAGS), st.sampled_from(list(Verdict)), max_size=2),
    st.booleans(),
)
PEOPLE = st.tuples(st.sampled_from(["sets", "removes"]), st.sampled_from(TAGS))


def wish(tag: str, want: Verdict) -> Wish:
    """A wish for a tag on the container."""
    params = {"container": CONTAINER, "tag": tag}
    return Wish("tag", want, params, f"fb-{tag}", "", f"0.{tag}", over="retract")


class Model:
    """Who wants what, and whose the tags on the site are."""

    def __init__(self) -> None:
        self.wanted: dict[str, set[tuple[str, str]]] = {tag: set() for tag in TAGS}
        self.there: set[str] = set()
        self.theirs: set[str] = set()
        self.refused: set[str] = set()  # a person removed it while it was wanted

    def decide(self, rule: str, target: str, wants: dict[str, Verdict], *, exhaustive: bool) -> None:
        """The union of what is wanted changes; the site follows at once."""
        for tag in TAGS:
            want = wants.get(tag, Verdict.NO if exhaustive else Verdict.UNKNOWN)
            if want is Verdict.YES:
                self.wanted[tag].add((rule, target))
            elif want is Verdict.NO:
                self.wanted[tag].discard((rule, target))
            if not self.wanted[tag]:
                self.refused.discard(tag)
                if tag not in self.theirs:
                    self.there.discard(tag)
            elif tag not in self.there and tag not in self.refused:
                self.there.add(tag)

    def person(self, verb: str, tag: str) -> None:
        """A person sets or removes a tag."""
        if verb == "sets" and tag not in self.there:
            self.there.add(tag)
            self.theirs.add(tag)
        elif verb == "removes" and tag in self.there:
            self.there.discard(tag)
            self.theirs.discard(tag)
            if self.wanted[tag]:
                self.refused.add(tag)


def carry_out(book: Book, tag: str, operation: str) -> None:
    """The site does as it is asked."""
    key = ("main", f"acquisition/a1/{tag}")
    book.tries.pop(key, None)
    if operation == ADD:
        assert book.present[key] is False, "asked for what is there"
        book.present[key] = True
        book.marks[key] = "ours"
    else:
        assert operation == REMOVE
        assert book.marks.get(key) == "ours", "asked to remove what is not ours"
        book.present[key] = False
        book.marks.pop(key)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(DECISIONS, PEOPLE), max_size=25))
def test_the_book_and_the_model_agree(story: list[Any]) -> None:
    """After each decision: the same tags on the site, and the claims are those who want them."""
    book, model = Book(), Model()
    for tag in TAGS:
        book.present[("main", f"acquisition/a1/{tag}")] = False
    for event in story:
        if len(event) == 2:
            model.person(*event)
            book.present[("main", f"acquisition/a1/{event[1]}")] = event[1] in model.there
            # Whatever is seen is noted before anything else happens (see ledger.marking).
            note(book, event[1])
            continue
        rule, target, wants, exhaustive = event
        model.decide(rule, target, wants, exhaustive=exhaustive)
        wishes = [wish(tag, want) for tag, want in wants.items()]
        about = Target("main", Level.FILE, target)
        for one in reconcile(rule, about, wishes, exhaustive=exhaustive, book=book):
            carry_out(book, one.params["tag"], one.params["operation"])
        for tag in TAGS:
            key = ("main", f"acquisition/a1/{tag}")
            assert book.present[key] == (tag in model.there), tag
            assert {owner[::2] for owner, _ in book.wanted_by.get(key, ())} == model.wanted[tag]


def note(book: Book, tag: str) -> None:
    """What `ledger.marking` does when a tag is seen to be gone."""
    key = ("main", f"acquisition/a1/{tag}")
    if book.present[key] is False and book.marks.get(key) in ("ours", "people"):
        settle_tag(book, *key)
