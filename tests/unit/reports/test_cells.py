"""CSV that no spreadsheet runs, and that every reader reads as it was."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.reports.cells import csv_text, harmless, plain

TEXTS = st.text(st.characters(codec=None), max_size=30)


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r", " =", "\u00a0=", "\uff1d"], ids=ascii)
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(begin: str) -> None:
    """Formulas, and what hides one behind a blank."""
    assert harmless(f"{begin}cmd|' /C calc'!A0").startswith("'")


@pytest.mark.parametrize("text", ["sub-01", "T1w", "a=b", "1001", "", "Übung 名前", "'quoted", "a-b+c"], ids=ascii)
def test_other_texts_stay_as_they_are(text: str) -> None:
    """A label in the middle of which such a character stands is a label."""
    assert harmless(text) == text


@given(TEXTS)
def test_no_text_begins_a_formula_and_none_breaks_a_line(text: str) -> None:
    """Whatever a label holds, lone halves of characters included."""
    shown = harmless(text)
    assert shown.lstrip()[:1] not in tuple("=+-@")
    assert not shown.startswith(("\t", "\r", "\n"))
    assert len(shown.splitlines()) <= 1
    assert shown.encode() or not text


@given(st.lists(st.tuples(TEXTS, st.integers(-9, 9) | st.none() | st.floats(-1e6, 1e6)), max_size=8))
def test_a_reader_gets_the_cells_back(rows: list[tuple[str, float | None]]) -> None:
    """The stdlib's reader as an independent witness; numbers stay numbers, also negative ones."""
    written = csv_text(("subject", "value"), rows)
    read = list(csv.reader(io.StringIO(written, newline="")))
    assert read[0] == ["subject", "value"]
    assert [line[0] for line in read[1:]] == [harmless(text) for text, _ in rows]
    assert [line[1] for line in read[1:]] == ["" if value is None else str(value) for _, value in rows]


def test_a_semicolon_in_a_cell_does_not_split_it_elsewhere() -> None:
    """Spreadsheets of many countries split at semicolons: `a;=1+1` unquoted would become a formula in the next cell."""
    assert '"a;=1+1"' in csv_text(("subject", "session"), [("a;=1+1", "x")])


def test_pandas_reads_it() -> None:
    """Headers first, in plain letters; a negative number is a number."""
    read = pd.read_csv(io.StringIO(csv_text(("subject", "session", "n"), [("=a", 'x "y", z', -1.5), ("b", "c", None)])))
    assert list(read.columns) == ["subject", "session", "n"]
    assert read["n"][0] == -1.5
    assert read["session"][0] == 'x "y", z'
    assert csv_text(("subject", "session"), ()).startswith("subject,session\n")


def test_a_plain_text_is_on_one_line() -> None:
    """Control characters become blanks."""
    assert plain("a\r\nb\x00c\u2028d") == "a  b c d"
