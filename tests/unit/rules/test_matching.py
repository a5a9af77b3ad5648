"""Expected effects against those that a rule asks for."""

from typing import Any

import pytest

from flyball.rules.matching import effect_differences, fits


def tag(name: str, operation: str = "add") -> dict[str, Any]:
    return {
        "kind": "tag",
        "rule": "r",
        "summary": f"+ tag {name}  x/y",
        "params": {
            "container": {"level": "session", "id": "1", "path": "x/y"},
            "tag": name,
            "operation": operation,
        },
    }


A, B = tag("A"), tag("B")


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        ([], []),
        ([{"kind": "tag"}], [A]),
        ([{"tag": "A"}], [A]),
        ([{"kind": "tag", "on": "session", "tag": "A", "operation": "add"}], [A]),
        ([{"params": {"tag": "A", "container": {"level": "session"}}}], [A]),
        ([{"container": "x/y"}], [A]),
        ([{"tag": "B"}, {"tag": "A"}], [A, B]),
        ([{"kind": "tag"}, {"kind": "tag", "tag": "A"}], [A, B]),  # the second one needs the only A
        ([{"summary": "+ tag A  x/y"}], [A]),
    ],
)
def test_as_expected(expected: list[Any], actual: list[Any]) -> None:
    """Any subset of the fields, their own or their parameters', in any order."""
    assert effect_differences(expected, actual) == []


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        (
            [{"kind": "tag", "tag": "B"}],
            [A],
            [
                'expected effect is not asked for: {"kind":"tag","tag":"B"}; the nearest differs in `tag` (expected B, got A)',
                "effect is asked for and not expected: + tag A  x/y",
            ],
        ),
        ([], [A], ["effect is asked for and not expected: + tag A  x/y"]),
        ([{"kind": "note"}], [], ['expected effect is not asked for: {"kind":"note"}']),
        ([{"kind": "tag"}, {"kind": "tag"}], [A], ['expected effect is not asked for: {"kind":"tag"}']),
        (
            [{"kind": "tag", "colour": "red"}],
            [A],
            [
                (
                    'expected effect is not asked for: {"kind":"tag","colour":"red"}; '
                    "the nearest differs in `colour` (expected red, got nothing)"
                ),
                "effect is asked for and not expected: + tag A  x/y",
            ],
        ),
    ],
)
def test_not_as_expected(expected: list[Any], actual: list[Any], lines: list[str]) -> None:
    """What is missing, with the nearest one, and what is too much."""
    assert effect_differences(expected, actual) == lines


@pytest.mark.parametrize(
    ("wanted", "value", "result"),
    [
        (1, 1.0, True),
        (True, 1, False),
        ("a", {"name": "a"}, True),
        ({"b": 1}, {"a": 2, "b": 1}, True),
        ({"b": 1}, [1], False),
        (["a"], ["a", "b"], False),
        ([{"a": 1}], [{"a": 1, "b": 2}], True),
        (None, None, True),
    ],
)
def test_values(wanted: Any, value: Any, result: bool) -> None:
    """Mappings fit as subsets, lists entry by entry, truth values are no numbers."""
    assert fits(wanted, value) is result
