"""Arithmetic: numbers within bounds, joined texts and lists, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 + 2 * 3", 7),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3.5),
        ("7 % 4", 3),
        ("-7 % 4", 1),
        ("-file.size", -12),
        ("--1", 1),
        ("2 - -1", 3),
        ("file.info.snr * 10", 8.0),
        ("'a' + 'b'", "ab"),
        ("missing + ['T2w']", ["T1w", "T2w"]),
        ("sum([0.1, 0.2])", 0.1 + 0.2),
    ],
)
def test_results(value: Any, source: str, expected: Any) -> None:
    """The usual arithmetic of Python."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("1 / file.info.zero", "file.info.zero is zero, nothing can be divided by it"),
        ("1 % 0", "0 is zero, nothing can be divided by it"),
        ("file.info.text + 1", "file.info.text is text 'nan', a number is needed"),
        ("1 + file.info.text", "file.info.text is text 'nan', a number is needed"),
        ("file.info.flag + 1", "file.info.flag is true, a number is needed"),
        ("true + true", "true is true and true is true: no + between them"),
        ("'a' * 3", "'a' is text 'a', a number is needed"),
        ("'%d' % 3", "'%d' is text '%d', a number is needed"),
        ("t1 * 2", "t1 is a list of 2, a number is needed"),
        ("t1 - t1", "t1 is a list of 2 and t1 is a list of 2: no - between them"),
        ("-file.name", "file.name is text 'task-rest_bold.nii.gz', a number is needed"),
        ("-file.info.flag", "file.info.flag is true, a number is needed"),
        ("-file.gone", "file.gone is missing"),
        ("file.gone + file.info.null", "file.gone is missing"),
        ("1 + file.info.null", "file.info.null is null"),
        ("1e290 * 1e290", "stopped: a number beyond 1e300"),
        ("9e299 + 9e299", "stopped: a number beyond 1e300"),
        ("big * big", "stopped: a number beyond 1e300"),
        ("-big * big", "stopped: a number beyond 1e300"),
        ("long + long", "stopped: a text of more than 100,000 characters"),
    ],
)
def test_what_has_no_result(reason: Any, source: str, expected: str) -> None:
    """Division by zero, kinds that do not go together and results out of bounds are unknown."""
    assert reason(f"({source}) == 1", big=10**200, long="x" * 60_000) == expected
