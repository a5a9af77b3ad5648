"""Three-valued logic: what is true, false and unknown, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.rules.expression import UNKNOWN, Context, compile_expression
from flyball.rules.expression.values import Unknown

T, F, U = "true", "false", "file.info.gone > 1"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"{T} and {T}", "yes"),
        (f"{T} and {F}", "no"),
        (f"{F} and {U}", "no"),
        (f"{U} and {F}", "no"),
        (f"{T} and {U}", "unknown"),
        (f"{U} and {T}", "unknown"),
        (f"{U} and {U} and {F}", "no"),
        (f"{U} and {T} and {T}", "unknown"),
        (f"{T} and {T} and {F}", "no"),
        (f"{T} and {T} and {T}", "yes"),
        (f"{T} or {U}", "yes"),
        (f"{U} or {T}", "yes"),
        (f"{F} or {U}", "unknown"),
        (f"{U} or {F}", "unknown"),
        (f"{F} or {F}", "no"),
        (f"{F} or {U} or {T}", "yes"),
        (f"not {T}", "no"),
        (f"not {F}", "yes"),
        (f"not ({U})", "unknown"),
    ],
)
def test_kleene_tables(truth: Any, source: str, expected: str) -> None:
    """False decides an `and`, true decides an `or`; otherwise one unknown part makes the whole unknown."""
    assert truth(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("True", "yes"),
        ("False", "no"),
        ("file.info.flag", "yes"),
        ("missing", "yes"),
        ("empty", "no"),
        ("not missing", "no"),
        ("not empty", "yes"),
        ("missing and empty", "no"),
        ("missing or empty", "yes"),
        ("file.name", "unknown"),
        ("file.info.snr", "unknown"),
        ("file.info.zero", "unknown"),
        ("file.info", "unknown"),
        ("session.timestamp", "unknown"),
        ("null", "unknown"),
        ("None", "unknown"),
        ("'text'", "unknown"),
        ("1", "unknown"),
        ("not 1", "unknown"),
        ("file.info.null", "unknown"),
        ("file.info.nan", "unknown"),
        ("file.gone", "unknown"),
    ],
)
def test_a_condition_is_a_boolean_or_a_list(truth: Any, source: str, expected: str) -> None:
    """A non-empty list is true and an empty one false; nothing else but a boolean is a condition."""
    assert truth(source) == expected


def test_the_choice(value: Any) -> None:
    """`a if c else b` takes one branch, and none when the condition is unknown."""
    assert value("1 if file.info.snr < 1 else 2") == 1
    assert value("1 if file.info.snr > 1 else 2") == 2
    assert value("1 if missing else 2") == 1
    assert value("1 if file.info.gone > 1 else 1") == "?"
    assert value("1 if true else file.gone") == 1


def test_and_or_give_truth_not_operands(value: Any) -> None:
    """Unlike Python's, `and` and `or` never hand an operand through."""
    assert value("missing or empty") is True
    assert value("missing and empty") is False


def test_the_names_of_the_literals_in_json_spelling(value: Any) -> None:
    """`true`, `false` and `null` are literals, unless a rule has such a name."""
    assert value("[true, false]") == [True, False]
    assert value("true", true=3) == 3


def test_unknown_is_not_usable_as_a_boolean() -> None:
    """An unknown refuses to be taken for true or false by accident."""
    with pytest.raises(TypeError, match="neither true nor false"):
        bool(UNKNOWN)
    assert "unknown" in repr(UNKNOWN)


def test_an_unreadable_root_stays_unknown_with_its_reason(now: Any) -> None:
    """A parent that could not be read makes everything below it unknown, `has` and `coalesce` included."""
    names = {"session": Unknown("the session cannot be read (403)")}
    for source in (
        "session.label == 'a'",
        "has(session.label)",
        "not has(session)",
        "coalesce(session.label, 'a') == 'a'",
        "'x' in session.tags",
        "any(a.label == 'x' for a in session.acquisitions)",
    ):
        result = compile_expression(source, names=names).test(Context(names, now))
        assert isinstance(result, Unknown), source
        assert result.reason == "the session cannot be read (403)", source


def test_a_name_that_is_allowed_and_not_there_is_missing(now: Any) -> None:
    """A root that the rule knows and this document lacks is missing, not an error."""
    result = compile_expression("job.state == 'failed'", names={"job"}).test(Context({}, now))
    assert isinstance(result, Unknown)
    assert result.reason == "job is missing"
