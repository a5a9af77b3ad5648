"""Rows of tables: what they hold, and what is wrong with them."""

from __future__ import annotations

import pytest

from flyball.effects.rows import RowFault, age_of, read_table, sex_of, time_of


def test_tables_as_spreadsheets_write_them() -> None:
    """Byte order mark, semicolons, quoted line breaks, empty rows and cells."""
    text = '\ufeffSubject ID;note;age\r\ns1;"two\r\nlines";3\r\n;;\r\ns2;;4\r\ns3;a;5;6\r\n'
    rows = list(read_table(text.encode()))
    assert [(row.line, dict(row.cells)) for row in rows] == [
        (3, {"Subject ID": "s1", "note": "two\r\nlines", "age": "3"}),
        (5, {"Subject ID": "s2", "age": "4"}),
        (6, {"Subject ID": "s3", "note": "a", "age": "5"}),
    ]
    assert rows[2].fault == "the row has 4 cells, the heading 3"


def test_cells_that_a_spreadsheet_would_run_are_labels() -> None:
    """They are taken as they are; nothing here runs them."""
    (row,) = read_table(b"a,b\n=cmd(),@x\n")
    assert dict(row.cells) == {"a": "=cmd()", "b": "@x"}


@pytest.mark.parametrize(
    ("text", "unit", "seconds"),
    [("34", "years", 1_072_958_400), ("0", "days", 0), ("1,5", "days", 129_600), ("6", "months", 15_778_800)],
)
def test_ages(text: str, unit: str, seconds: int) -> None:
    """In seconds; a year is 365.25 days."""
    assert age_of(text, unit) == seconds


@pytest.mark.parametrize("text", ["abc", "-1", "131", "nan", "inf", "1e9"])
def test_no_ages(text: str) -> None:
    """Absurd ones are none."""
    with pytest.raises(RowFault, match="age"):
        age_of(text, "years")


def test_times() -> None:
    """With the zone given, else with their own; an hour that the clocks left out is none."""
    assert time_of("10/03/2019 15:32", "%m/%d/%Y %H:%M", "America/New_York") == "2019-10-03T15:32:00-04:00"
    assert time_of("2019-10-03T15:32:00+02:00", None, None) == "2019-10-03T15:32:00+02:00"
    assert time_of("11/03/2019 01:30", "%m/%d/%Y %H:%M", "America/New_York") == "2019-11-03T01:30:00-04:00"
    for text, complaint in [
        ("03/10/2019 02:30", "does not exist"),
        ("13/13/2019 02:30", "does not fit"),
        ("tomorrow", "does not fit"),
    ]:
        with pytest.raises(RowFault, match=complaint):
            time_of(text, "%m/%d/%Y %H:%M", "America/New_York")
    with pytest.raises(RowFault, match="has no zone"):
        time_of("2019-10-03T15:32:00", None, None)


def test_sexes() -> None:
    """Words and first letters."""
    assert [sex_of(text) for text in ("F", "male", "U", " other ")] == ["female", "male", "unknown", "other"]
    with pytest.raises(RowFault):
        sex_of("x")
