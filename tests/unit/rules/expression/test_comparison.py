"""Comparisons and membership: like with like, everything else unknown."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file.info.snr < 1.0", "yes"),
        ("file.info.snr > 1.0", "no"),
        ("1.0 > file.info.snr", "yes"),
        ("file.info.snr <= 0.8 and file.info.snr >= 0.8", "yes"),
        ("file.size == 12.0", "yes"),
        ("file.size != 12", "no"),
        ("file.size > -1", "yes"),
        ("file.type == 'nifti'", "yes"),
        ("file.type != 'dicom'", "yes"),
        ("file.type < 'o'", "yes"),
        ("file.info.flag == true", "yes"),
        ("file.info.flag != true", "no"),
        ("0 < file.info.snr < 1", "yes"),
        ("0 < file.info.snr < 0.5", "no"),
        ("0 < file.info.gone < 1", "unknown"),
        ("1 < 0 < file.info.gone", "no"),
        ("file.info.gone < 1 < 0", "no"),
        ("'T' in file.classification.Measurement[0] in ['T2*']", "yes"),
        ("1 not in [2] not in []", "yes"),
        ("file.classification.Measurement == ['T2*']", "yes"),
        ("file.classification.Measurement == ['T1']", "no"),
        ("file.classification.Measurement != ['T1']", "yes"),
        ("file.classification.Measurement == []", "no"),
        ("[1, [2, 3]] == [1, [2, 3.0]]", "yes"),
        ("[1, 'a'] == [1, 2]", "unknown"),
        ("[2, 'a'] == [1, 2]", "no"),
        ("[1, null] == [1, 2]", "unknown"),
        ("[null, 1] == [null, 2]", "no"),
        ("file.info == file.info", "unknown"),
        ("file.classification == file.classification", "yes"),
        ("file.classification == t1[0]", "no"),
        ("t1[0] != t1[1]", "yes"),
    ],
)
def test_comparisons(truth: Any, source: str, expected: str) -> None:
    """Numbers, texts, booleans, lists and objects are compared by value, part by part."""
    assert truth(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file.info.text < 1.0", "file.info.text is text 'nan', a number is needed to compare it with 1.0"),
        ("file.info.text == 1.0", "file.info.text is text 'nan', a number is needed to compare it with 1.0"),
        ("file.info.flag < 1", "file.info.flag is true, a number is needed to compare it with 1"),
        ("file.info.flag == 1", "file.info.flag is true, a number is needed to compare it with 1"),
        ("true < false", "true is true, a number is needed"),
        ("file.size == 'a'", "file.size is the number 12, a text is needed to compare it with 'a'"),
        ("file.info == 1", "file.info is an object, a number is needed to compare it with 1"),
        ("t1 < t1", "t1 is a list of 2: lists and objects have no order"),
        ("session.timestamp == 'x'",
         "session.timestamp is the date 2026-11-01T12:00:00+00:00, a text is needed to compare it with 'x'"),
        ("file.info.snr < file.info.gone", "file.info.gone is missing"),
        ("file.size == null", "null is no value"),
    ],
)  # fmt: skip
def test_unlike_things_are_not_compared(reason: Any, source: str, expected: str) -> None:
    """A type mismatch is unknown for every comparison, and says which value is of the wrong kind."""
    assert reason(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'T2*' in file.classification.Measurement", "yes"),
        ("'T1' in file.classification.Measurement", "no"),
        ("'T1' not in file.classification.Measurement", "yes"),
        ("file.type in ['nifti', 'dicom']", "yes"),
        ("file.type in ('dicom', 'pdf')", "no"),
        ("file.type not in ['dicom']", "yes"),
        ("file.type in []", "no"),
        ("file.size in ['nifti']", "unknown"),
        ("file.gone in ['nifti']", "unknown"),
        ("file.size in [11, 12]", "yes"),
        ("file.size in [11, 13]", "no"),
        ("'rest' in file.name", "yes"),
        ("'motor' in file.name", "no"),
        ("1 in file.name", "unknown"),
        ("'snr' in file.info", "yes"),
        ("'tsnr' in file.info", "no"),
        ("1 in file.info", "unknown"),
        ("'a' in file.size", "unknown"),
        ("'a' in file.gone", "unknown"),
        ("'a' in file.info.null", "unknown"),
        ("file.gone in file.info.list", "unknown"),
        ("'a' in [null, 'a']", "yes"),
        ("'a' in [null, 'b']", "unknown"),
        ("'a' in [1, 'b']", "unknown"),
        ("3 in [1, 'b', 3]", "yes"),
        ("['T2*'] in [['T1'], ['T2*']]", "yes"),
    ],
)
def test_membership(truth: Any, source: str, expected: str) -> None:
    """A found match is true; an element that cannot be compared leaves the rest unknown."""
    assert truth(source) == expected


def test_why_membership_is_unknown(reason: Any) -> None:
    """The reason names the list or the value that is in the way."""
    assert reason("'a' in file.classification.Intend") == "file.classification.Intend is missing"
    assert reason("'a' in file.size") == "file.size is the number 12, a list is needed"
    assert reason("'a' in tags", tags=["b", None]) == "tags has an element without a value"
    assert "an element of tags" in reason("'a' in tags", tags=["b", 1])
    assert reason("2 in file.name") == "2 is the number 2, a text is needed to find it in file.name"


def test_deeply_nested_values_stop_the_comparison(reason: Any) -> None:
    """Two values nested beyond the bound are unknown rather than a crash."""
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    assert "stopped" in reason("a == b", a=deep, b=deep)
