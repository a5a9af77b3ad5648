"""Paths made of labels: nothing leaves the folder, different labels stay apart, harmless ones stay as they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.effects.paths import LONGEST, clean, member_parts, place_key, split


@pytest.mark.parametrize("label", ["sub-01", "Session 1", "T1w.nii.gz", "ünï cödé", "a_b", "x(1)", "-", "réseau"])
def test_harmless_labels_stay(label: str) -> None:
    """Also those with blanks and letters of any script."""
    assert clean(label) == label


@pytest.mark.parametrize(
    ("label", "begins"),
    [
        ("../../etc", "_.._.._etc"),
        ("..", "_"),
        (".", "_"),
        ("", "_"),
        ("a/b", "a_b"),
        ("a\\b", "a_b"),
        ("C:", "C_"),
        ("nul\0l", "nul_l"),
        ("CON", "_CON"),
        ("com1.txt", "_com1"),
        ("end. ", "end"),
        (".hidden", "_"),
        ("ledger.sqlite-wal", "_ledger"),
        (".flyball", "_"),
        ("left\u202eright", "left_right"),
        ("half\ud800", "half_"),
        ("x" * 300 + ".nii.gz", "x" * 100),
    ],
)
def test_harmful_labels_are_changed_and_marked(label: str, begins: str) -> None:
    """With six characters of their hash."""
    found = clean(label)
    assert found.startswith(begins)
    assert found != label
    assert "~" in found


@given(st.text())
def test_a_part_is_one_part(label: str) -> None:
    """No separator, no dots alone, no control character, not too long, and cleaning it again changes nothing more."""
    found = clean(label)
    assert found not in ("", ".", "..")
    assert not set("/\\\0") & set(found)
    assert not found.startswith(".")
    assert len(found.encode()) <= LONGEST
    assert clean(found) == found


@given(st.text(min_size=1), st.text(min_size=1))
def test_different_labels_stay_apart(one: str, other: str) -> None:
    """Unless they are the same to Unicode."""
    if clean(one) == clean(other):
        assert place_key(one) == place_key(other) or one == other


@given(st.text())
def test_members_stay_below(path: str) -> None:
    """Whatever a zip file calls its members."""
    parts = member_parts(path)
    if parts is not None:
        assert parts
        assert all(clean(part) == part for part in parts)


@pytest.mark.parametrize("path", ["/a", "../a", "a/../../b", "a\\b", "a/", "", "C:/x", "a\0"])
def test_members_that_point_elsewhere_are_refused(path: str) -> None:
    """None stands for a refusal."""
    assert member_parts(path) is None


def test_splitting_leaves_expressions_whole() -> None:
    """A slash inside of braces separates nothing."""
    assert split("a/{{ x | replace('/', '-') }}/b{% if y %}c{% endif %}/") == [
        "a",
        "{{ x | replace('/', '-') }}",
        "b{% if y %}c{% endif %}",
        "",
    ]
