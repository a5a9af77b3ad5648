"""Demographics against numbers worked out by hand; what is missing or absurd is named and left out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from flyball.reports.demographics import YOUNGEST, age_of, demographics
from unit.reports.kit import YEAR, Lab


def test_mean_spread_and_shares_by_hand() -> None:
    """Three ages 20, 30, 43 of four subjects: mean 31, SD 11.533 (n-1); shares are of all four."""
    lab = Lab()
    for label, sex, age in (("a", "female", 20), ("b", "male", 30), ("c", "female", 43), ("d", None, None)):
        lab.session(lab.subject(label, sex), age=None if age is None else age * YEAR)
    content = demographics(lab.project, "scien/tome")
    numbers: Any = content.numbers
    assert numbers["subjects"] == 4
    assert numbers["age"]["n"] == 3
    assert numbers["age"]["missing"] == 1
    assert numbers["age"]["mean"] == pytest.approx(31)
    assert numbers["age"]["sd"] == pytest.approx(11.532562595)
    assert numbers["age"]["sd_population"] == pytest.approx(9.416297929)
    assert numbers["sex"] == {
        "female": {"n": 2, "share": 0.5},
        "male": {"n": 1, "share": 0.25},
        "missing": {"n": 1, "share": 0.25},
    }
    assert content.columns[:2] == ("subject", "session")
    assert content.rows[0] == ["a", "ses-1", "female", 20.0, "", "scien/tome"]
    assert content.rows[3] == ["d", "ses-1", "", None, "age missing; sex missing", "scien/tome"]


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (None, "age missing"),
        ("31", "age is no number"),
        (True, "age is no number"),
        (math.nan, "age is no number"),
        (-5, "age below zero"),
        (0, "age is zero"),
        (31, "age below one day"),
        (YOUNGEST - 1, "age below one day"),
        (121 * YEAR, "age above 120 years"),
        (10**30, "age above 120 years"),
    ],
    ids=lambda one: str(one)[:12],
)
def test_an_absurd_age_is_named_and_counts_for_nothing(age: Any, said: str) -> None:
    """Neither mean nor spread sees it."""
    lab = Lab()
    lab.session(lab.subject("a", "male"), age=age)
    lab.session(lab.subject("b", "male"), age=40 * YEAR)
    content = demographics(lab.project, "g/p")
    numbers: Any = content.numbers
    assert numbers["age"]["mean"] == pytest.approx(40)
    assert str(content.rows[0][4]).startswith(said)
    assert "Missing or implausible" in [table.title for table in content.tables]


def test_an_infant_is_none_of_these() -> None:
    """A day old is an age."""
    assert age_of({"age": YOUNGEST})[0] == pytest.approx(1 / 365.25)


def test_the_first_visit_with_an_age_counts() -> None:
    """By time and not by label; a visit without an age is passed over."""
    lab = Lab()
    subject = lab.subject("a", "female")
    lab.session(subject, "later", age=50 * YEAR, time=3e9)
    lab.session(subject, "first", age=None, time=1e9)
    lab.session(subject, "second", age=48 * YEAR, time=2e9)
    content = demographics(lab.project, "g/p")
    numbers: Any = content.numbers
    assert numbers["age"]["mean"] == pytest.approx(48)
    assert [row[1] for row in content.rows] == ["first", "later", "second"]


def test_an_empty_project_says_so() -> None:
    """No division by zero, a note."""
    content = demographics(Lab().project, "g/p")
    assert content.rows == []
    assert "no subjects" in content.notes[0]


def test_a_subject_without_session_has_a_row() -> None:
    """With the reason; sessions of one label are told apart by their rows."""
    lab = Lab()
    lab.subject("a", "male")
    twice = lab.subject("b", "male")
    lab.session(twice, "x", age=30 * YEAR)
    lab.session(twice, "x", age=30 * YEAR)
    content = demographics(lab.project, "g/p")
    assert [row[:2] for row in content.rows] == [["a", ""], ["b", "x"], ["b", "x"]]
    assert content.rows[0][4] == "no session"
    assert any("several sessions of one label: x" in note for note in content.notes)
