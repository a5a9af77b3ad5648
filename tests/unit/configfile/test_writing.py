"""YAML that is written reads back as what it was."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.configfile.writing import write_yaml
from flyball.configfile.yaml import read_yaml

ODD = ["yes", "null", "1e5", "0x1f", "- a", "a: b", "#c", "a #b", "2020-01-01", "@x", "~", "%", "é", "*x", "<<", ""]
TEXTS = st.text(max_size=12) | st.sampled_from([*ODD, "\u2028", "\x85", "\ufeffa", "𐀀", "a\n b\t"])
LEAVES = st.none() | st.booleans() | st.integers(-(10**15), 10**15) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=20
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5))
@settings(max_examples=300, deadline=None)
def test_round_trip(value: dict[str, Any]) -> None:
    """Whatever texts look like."""
    assert read_yaml(write_yaml(value), "x").root == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": 1, "b": [1, "x y"]}, "a: 1\nb: [1, x y]\n"),
        ({"a": {}, "b": [], "c": None}, "a: {}\nb: []\nc: null\n"),
        ({"a": {"b": "x" * 100}}, f"a:\n  b: {'x' * 100}\n"),
        ({"a": [{"b": "x" * 100, "c": 1}]}, f"a:\n  - b: {'x' * 100}\n    c: 1\n"),
        ({"a": ["x" * 100]}, f"a:\n  - {'x' * 100}\n"),
        ({"a": float("nan"), "b": float("-inf")}, "a: .nan\nb: -.inf\n"),
    ],
)
def test_form(value: dict[str, Any], text: str) -> None:
    """Short things on one line, long ones as blocks."""
    assert write_yaml(value) == text
