"""Structured queries: what is read, what is refused and where, and what each operator finds."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.sandbox.search.index import Entry
from flyball.sandbox.search.language import Joined, Not, Phrase, QueryError, Term, parse
from flyball.sandbox.search.matching import PatternError, compile_query
from flyball.sandbox.search.suggest import unfinished

A, B, C = (Term("=", name, (Phrase("1"),)) for name in "abc")
SESSION: dict[str, Any] = {
    "_id": "5" * 24,
    "label": "ses-1001",
    "age": 946_080_000,
    "info": {"snr": 1.5, "ok": True, "empty": [], "scanner": "SIEMENS Prisma fit"},
    "tags": ["T2*", "BOLD"],
    "created": datetime(2026, 11, 2, 9, 15, 42, 318_000, tzinfo=UTC),
    "parents": {"subject": "4" * 24},
}
SUBJECT: dict[str, Any] = {"_id": "4" * 24, "label": "Übung", "sex": None}


def finds(query: str) -> bool:
    """Whether the query finds the session."""
    entry = Entry(lambda level: {SUBJECT["_id"]: SUBJECT} if level == "subject" else {}, "session", SESSION)
    return compile_query(parse(query))(entry)


def test_or_binds_tighter_unless_said_otherwise() -> None:
    """The manual's order by default, the old parser's as a switch; parentheses decide for both."""
    assert parse("a = 1 OR b = 1 AND c = 1") == Joined("and", (Joined("or", (A, B)), C))
    assert parse("a = 1 OR b = 1 AND c = 1", or_first=False) == Joined("or", (A, Joined("and", (B, C))))
    for or_first in (True, False):
        grouped = parse("a = 1 OR (b = 1 AND c = 1)", or_first=or_first)
        assert grouped == Joined("or", (A, Joined("and", (B, C))))


def test_terms_of_all_kinds() -> None:
    """Quotes, escapes, lists, keywords in both cases, NOT on one term."""
    assert parse('"a \\"b\\"" in [x, "y z"]') == Term("in", 'a "b"', (Phrase("x"), Phrase("y z", quoted=True)))
    assert parse("not a exists and b = 1") == Joined("and", (Not(Term("exists", "a")), B))
    assert parse("a <> 1") == Term("!=", "a", (Phrase("1"),))
    assert parse("acquisition.label CONTAINS .*SBRef.*") == Term(
        "contains", "acquisition.label", (Phrase(".*SBRef.*"),)
    )


BROKEN = {
    "a = ": (1, 5, "Unexpected end of input!"),
    "a = 1 And b = 1": (1, 7, "Syntax error at 'And'"),
    "a\n >> b": (2, 2, "Unknown operator: '>>'"),
    'a = "open': (1, 5, "Expected '\"'"),
    "(a = 1": (1, 7, "Unexpected end of input!"),
    "a IN [1, ]": (1, 10, "Syntax error at ']'"),
    "session.age>=5": (1, 15, "Unexpected end of input!"),
    "": (1, 1, "Unexpected end of input!"),
}


@pytest.mark.parametrize("query", BROKEN)
def test_errors_name_the_place(query: str) -> None:
    """Line and column count from one, the offset from zero."""
    with pytest.raises(QueryError) as refused:
        parse(query)
    (place,) = refused.value.places
    assert (place["line"], place["pos"], place["message"]) == BROKEN[query]


def test_deep_nesting_is_refused() -> None:
    """A hostile query cannot use up the stack."""
    with pytest.raises(QueryError, match="too deeply"):
        parse("(" * 5000 + "a = 1" + ")" * 5000)


FOUND = {
    "session.label = ses-1001": True,
    "session.label = SES-1001": False,
    "session.label = 1001": True,
    'session.label = "1001"': False,
    "session.label != ses-1001": False,
    "session.label LIKE ses-*": True,
    "session.label LIKE es-%": False,
    "session.label LIKE ses-10_1": True,
    'session.label =~ "ses-[0-9]+"': True,
    "session.label =~ ses": False,
    "session.label !~ ses": True,
    "session.label CONTAINS x-10": True,
    "session.label CONTAINS ES": True,
    "session.label CONTAINS x": False,
    "session.info.scanner CONTAINS .*prisma.*": True,
    "session.info.scanner CONTAINS magnetom": False,
    "session.age >= 946080000": True,
    "session.age < 946080000": False,
    "session.age = 946080000.0": True,
    "session.info.snr > 1": True,
    "session.info.snr > 1.5": False,
    "session.info.ok = true": True,
    "session.info.ok = false": False,
    "session.tags = T2*": True,
    "session.tags IN [T2*, nothing]": True,
    "session.tags IN [T2, nothing]": False,
    "session.age IN [1, 946080000]": True,
    "session.created > 2026-11-02": False,
    "session.created >= 2026-11-02": True,
    "session.created = 2026-11-02": True,
    "session.created < 2026-11-02T09:15:43": True,
    "session.created <= 2026-11-02T09:15:42": True,
    "session.created < 2026-11-02T09:15:42.318+00:00": False,
    "session.info.empty EXISTS": False,
    "session.info.snr EXISTS": True,
    "session.nothing EXISTS": False,
    "subject.sex EXISTS": False,
    "subject.label = Übung": True,
    "NOT acquisition.label CONTAINS .*SBRef.*": True,
    "acquisition.label = anything": False,
    "container_type = session": True,
    "nonsense = 1": False,
}


@pytest.mark.parametrize("query", FOUND)
def test_what_is_found(query: str) -> None:
    """Each operator on text, numbers, booleans, dates and lists, quoted and not."""
    assert finds(query) is FOUND[query]


def test_a_broken_pattern_is_refused() -> None:
    """When the query is compiled, not while searching."""
    with pytest.raises(PatternError):
        compile_query(Term("=~", "a", (Phrase("(x"),)))


UNFINISHED: dict[str, tuple[int, str | None, str | None]] = {
    "": (0, None, None),
    "file.inf": (0, "file.inf", None),
    "file.info ": (0, None, None),
    'field == "foo bar': (9, "foo bar", "field"),
    "field =": (0, None, None),
    "(foo": (1, "foo", None),
    "foo == bar an": (0, None, None),
    "foo == bar and qa": (15, "qa", None),
    'foo in ["x", "y': (13, "y", "foo"),
}


@pytest.mark.parametrize("query", UNFINISHED)
def test_what_is_being_typed(query: str) -> None:
    """The last word, where it begins, and whose value it is."""
    assert unfinished(query) == UNFINISHED[query]
