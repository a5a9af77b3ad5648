"""The overview against the sets that it was made from."""

from __future__ import annotations

import io

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from flyball.reports.cells import csv_text
from flyball.reports.overview import MOST_COLUMNS, OTHER, overview
from unit.reports.kit import Lab

LABELS = ["T1w", "T2w", "rest_1", "rest_2", "localizer"]


@given(st.lists(st.lists(st.sampled_from(LABELS), max_size=7), min_size=1, max_size=9))
def test_the_csv_is_pandas_crosstab(sessions: list[list[str]]) -> None:
    """Counts of each label in each session; what is missing is what half of the others have."""
    lab = Lab()
    for number, labels in enumerate(sessions):
        session = lab.session(lab.subject(f"s{number}"))
        for label in labels:
            lab.acquisition(session, label)
    content = overview(lab.project, "g/p")
    read = pd.read_csv(io.StringIO(csv_text(content.columns, content.rows)), keep_default_na=False)
    assert list(read.columns[:2]) == ["subject", "session"]
    flat = [(f"s{number}", label) for number, labels in enumerate(sessions) for label in labels]
    told = pd.crosstab(*zip(*flat, strict=True)) if flat else pd.DataFrame()
    for number, labels in enumerate(sessions):
        row = read[read.subject == f"s{number}"].iloc[0]
        for label in told.columns:
            expected = told.loc[f"s{number}", label] if f"s{number}" in told.index else 0
            assert row[label] == expected
        usual = {
            one
            for one in LABELS
            if sum(one in other for other in sessions) * 2 >= len(sessions) and any(one in other for other in sessions)
        }
        assert set(filter(None, row["missing"].split("; "))) == usual - set(labels)


def test_very_many_labels_are_counted_together() -> None:
    """A project whose scanner writes a new label each time makes no table without end."""
    lab = Lab()
    session = lab.session(lab.subject("a"))
    for number in range(MOST_COLUMNS + 50):
        lab.acquisition(session, f"scan {number}")
    content = overview(lab.project, "g/p")
    assert len(content.columns) == MOST_COLUMNS + 6
    assert dict(zip(content.columns, content.rows[0], strict=True))[OTHER] == 50
    assert content.rows[0][2] == MOST_COLUMNS + 50


def test_doubled_labels_have_a_row_each() -> None:
    """Two sessions of one label below one subject."""
    lab = Lab()
    subject = lab.subject("a")
    for _ in range(2):
        lab.acquisition(lab.session(subject, "ses"), "T1w")
    content = overview(lab.project, "g/p")
    assert [row[:3] for row in content.rows] == [["a", "ses", 1], ["a", "ses", 1]]
    assert any("several sessions of one label" in note for note in content.notes)


def test_an_empty_project_and_one_session() -> None:
    """A note, and a row with nothing in it."""
    assert "no sessions" in overview(Lab().project, "g/p").notes[0]
    lab = Lab()
    lab.session(lab.subject("a"))
    content = overview(lab.project, "g/p")
    assert content.rows == [["a", "ses-1", 0, "", "g/p"]]
    assert content.figures == []
