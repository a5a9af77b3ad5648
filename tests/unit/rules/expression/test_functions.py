"""The fixed functions: what they give, and when they are unknown."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("len(t1)", 2),
        ("len(file.type)", 5),
        ("len(empty)", 0),
        ("len(file.classification)", 2),
        ("len(file.size)", "?"),
        ("len(file.gone)", "?"),
        ("len([null, 1])", 2),
        ("sum([1, 2, 3])", 6),
        ("sum([])", 0),
        ("sum([1.5, 2])", 3.5),
        ("sum([true, false, true])", 2),
        ("sum([true, 1])", "?"),
        ("sum([1, null])", "?"),
        ("sum(['a'])", "?"),
        ("sum(3)", "?"),
        ("min([3, 1, 2])", 1),
        ("max([3, 1, 2])", 3),
        ("min(3, 1)", 1),
        ("max('a', 'b')", "b"),
        ("max(file.info.snr, 1)", 1),
        ("min([])", "?"),
        ("min([1, 'a'])", "?"),
        ("min([1, null])", "?"),
        ("min(1, file.gone)", "?"),
        ("max([true])", "?"),
        ("max(3)", "?"),
        ("sorted([3, 1, 2])", [1, 2, 3]),
        ("sorted(['b', 'a'])", ["a", "b"]),
        ("sorted([1, 'a'])", "?"),
        ("sorted([[1], [2]])", "?"),
        ("sorted([])", []),
        ("sorted('ba')", "?"),
        ("abs(-3)", 3),
        ("abs('a')", "?"),
        ("abs(true)", "?"),
        ("round(2.567, 1)", 2.6),
        ("round(2.567)", 3),
        ("round(1234, -2)", 1200),
        ("round(2.5, 1.5)", "?"),
        ("round(2.5, 99)", "?"),
        ("round('a')", "?"),
        ("lower('AbC')", "abc"),
        ("upper(file.type)", "NIFTI"),
        ("lower(3)", "?"),
        ("lower(long)", "?"),
        ("startswith(file.name, 'task-')", True),
        ("endswith(file.name, '.dcm')", False),
        ("startswith(file.name, 1)", "?"),
        ("startswith(file.gone, 'a')", "?"),
        ("minutes(90)", 1.5),
        ("hours(5400)", 1.5),
        ("days(129600)", 1.5),
        ("years(session.age)", 30.0),
        ("years('a')", "?"),
        ("years(session.gone)", "?"),
    ],
)
def test_results(value: Any, source: str, expected: Any) -> None:
    """Known arguments of the right kind give a value, everything else is unknown."""
    assert value(source, long="x" * 200_000) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("matches(acquisition.label, '^task-.*_run-0[1-4]$')", "yes"),
        ("matches(acquisition.label, 'rest')", "yes"),
        ("matches(acquisition.label, '^rest')", "no"),
        (r"matches(acquisition.label, '^task-\w+_run-\d\d$')", "yes"),
        (r"matches(acquisition.label, r'\brun')", "no"),
        (r"matches('a\nb', 'a.b')", "no"),
        ("matches(acquisition.label, '(?i)TASK')", "yes"),
        ("matches('größe', '^gr..e$')", "yes"),
        ("matches(file.size, 'a')", "unknown"),
        ("matches(file.gone, 'a')", "unknown"),
        ("matches(file.name, file.gone)", "unknown"),
        ("matches(file.name, file.type)", "no"),
        ("matches(file.name, broken)", "unknown"),
        ("matches(file.name, file.size)", "unknown"),
        ("glob(file.name, '*.nii.gz')", "yes"),
        ("glob(file.name, '*.nii')", "no"),
        ("glob('sub-01', 'sub-0?')", "yes"),
        ("glob('sub-01', 'sub-0[!1]')", "no"),
        ("glob('sub-01', 'sub-0[0-3]')", "yes"),
        ("glob('a.b', 'a?b')", "yes"),
        ("glob('axb', 'a.b')", "no"),
        ("glob('a/b', 'a*')", "yes"),
        ("glob('A', 'a')", "no"),
        ("glob('[x', '[x')", "yes"),
        ("glob('a^', 'a[\\^b]')", "yes"),
        ("glob(file.name, file.name)", "yes"),
        ("glob(file.size, '*')", "unknown"),
        ("glob(acquisition.label, wild)", "yes"),
    ],
)
def test_patterns(truth: Any, source: str, expected: str) -> None:
    """`matches` searches, `glob` fits the whole text; both are case-sensitive."""
    assert truth(source, broken="(", wild="task*[0-9]") == expected


def test_a_pattern_from_the_document_that_is_broken_says_so(reason: Any) -> None:
    """A pattern that is only known while evaluating makes the condition unknown."""
    assert "missing )" in reason("matches(file.name, broken)", broken="(")
    assert "look-ahead" in reason("matches(file.name, ahead)", ahead="(?=a)")
    assert "more than 1,000" in reason("glob(file.name, long)", long="a" * 2000)
    assert "more than 1,000" in reason("matches(file.name, long)", long="a" * 2000)


def test_a_worked_out_pattern_in_a_loop_is_compiled_once(truth: Any) -> None:
    """A pattern that stays the same from element to element costs its compiling once."""
    labels = [f"sub-01_run-{n}" for n in range(2000)]
    assert truth("all(matches(x, '^' + start) for x in labels)", labels=labels, start="sub-01") == "yes"
    assert truth("all(glob(x, start + '*') for x in labels)", labels=labels, start="sub-01") == "yes"
    assert truth("all(matches(x, '^' + x + '$') for x in labels)", labels=labels) == "unknown"


def test_reasons_name_the_argument(reason: Any) -> None:
    """A wrong argument is named as written, with what is needed."""
    assert reason("len(file.size)") == "file.size is the number 12, a list or a text is needed"
    assert reason("lower(file.size) == 'a'") == "file.size is the number 12, a text is needed"
    assert reason("sum([1, 'a']) == 1") == "an element of [1, 'a'] is text 'a', a number is needed"
    assert reason("max(empty) == 1") == "empty is empty"
    assert reason("min(tags) == 1", tags=[1, None]) == "an element of tags: null is no value"
    assert reason("min(1, 'a') == 1") == "an argument is text 'a', a number is needed"
