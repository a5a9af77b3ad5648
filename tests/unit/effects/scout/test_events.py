"""Events files before they are uploaded: what the server would stumble over is told, with its line."""

from __future__ import annotations

import io

import pandas as pd
import pytest
from bids_validator import BIDSValidator  # type: ignore[import-untyped] # likewise
from hypothesis import given
from hypothesis import strategies as st

from flyball.effects.scout.events import check_events, same_columns

GOOD = "onset\tduration\tgrapes\n0\t1\t1\n2.5\t0\tn/a\n"


def faults(text: str) -> str:
    """What is wrong with a file, in one line."""
    return "; ".join(check_events(text.encode()).faults)


def test_a_good_file_is_taken_with_what_is_missing_counted() -> None:
    """Columns, rows, the n/a of each column, and where the last event ends; Windows' line ends are no matter."""
    for text in (GOOD, GOOD.replace("\n", "\r\n"), GOOD + "\n\n"):
        events = check_events(text.encode())
        assert events.faults == ()
        assert (events.columns, events.rows, dict(events.missing), events.last) == (("grapes",), 2, {"grapes": 1}, 2.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("\n\n", "the file is empty"),
        ("onset,duration,grapes\n0,1,1\n", "line 1: the columns are separated by commas; BIDS separates them by tabs"),
        ("onset;duration;grapes\n0;1;1\n", "separated by semicolons"),
        ("Onset\tduration\tx\n0\t1\t1\n", "no column `onset`; `Onset` is written differently"),
        ("onset\tx\n0\t1\n", "no column `duration`"),
        ("onset\tduration\n0\t1\n", "no column besides onset and duration"),
        ("onset\tduration\tx\tx\n0\t1\t1\t2\n", "two columns `x`"),
        ("onset\tduration\t\n0\t1\t1\n", "column 3: it has no name"),
        ("onset\tduration\ta,b\n0\t1\t1\n", "holds a comma"),
        ("onset\tduration\tx/y\n0\t1\t1\n", "a slash"),
        ("onset\tduration\t x\n0\t1\t1\n", "blanks around the name"),
        ("onset\tduration\tx\n", "there is no row"),
        ("onset\tduration\tx\n0\t1\n", "line 2: 2 values for 3 columns"),
        ("onset\tduration\tx\n0\t1\t1\t9\n", "line 2: 4 values for 3 columns"),
        ("onset\tduration\tx\nn/a\t1\t1\n", "line 2: onset 'n/a' is no number of seconds"),
        ("onset\tduration\tx\n0\tlong\t1\n", "line 2: duration 'long' is no number"),
        ("onset\tduration\tx\n0\tnan\t1\n", "line 2: duration 'nan' is no number"),
        ("onset\tduration\tx\n0\t-1\t1\n", "line 2: duration -1 is negative"),
        ("onset\tduration\tx\n0\t1\t\n", "line 2: x is ''; write n/a"),
        ("onset\tduration\tx\n0\t1\tNaN\n", "line 2: x is 'NaN'; write n/a"),
        ("onset\tduration\tx\n0\t1\tn/a\n1\t1\tn/a\n", "column x holds nothing but n/a"),
    ],
    ids=[str(number) for number in range(22)],
)
def test_what_is_wrong_is_told_with_its_line(text: str, words: str) -> None:
    """One fault of each kind."""
    assert words in faults(text)


def test_bytes_that_are_no_text_are_refused() -> None:
    """Byte order marks, other encodings, binary files."""
    assert "byte order mark" in check_events(b"\xef\xbb\xbf" + GOOD.encode()).faults[0]
    assert "no UTF-8" in check_events("onset\tduration\tä\n".encode("latin-1")).faults[0]
    assert "zero bytes" in check_events(b"onset\x00").faults[0]


def test_many_faults_are_told_in_short() -> None:
    """The first eight, and how many more."""
    found = check_events(("onset\tduration\tx\n" + "a\tb\t1\n" * 50).encode()).faults
    assert len(found) == 9
    assert found[-1] == "and 92 more"


def test_files_of_a_collection_have_the_same_columns() -> None:
    """The server compares the number in the first file only, and drops the rest in silence."""
    first, second = check_events(GOOD.encode()), check_events(GOOD.replace("grapes", "apples").encode())
    assert same_columns([("a.tsv", first), ("b.tsv", first)]) == []
    assert same_columns([("a.tsv", first), ("b.tsv", second)]) == [
        "b.tsv lacks grapes and has apples besides: all files of a collection have the columns of a.tsv"
    ]


ROWS = st.lists(
    st.tuples(st.floats(0, 1e4), st.floats(0, 100), st.one_of(st.integers(-5, 5).map(str), st.just("n/a"))), min_size=1
)


@given(ROWS)
def test_what_is_accepted_is_read_alike_by_the_servers_reader(rows: list[tuple[float, float, str]]) -> None:
    """pandas, with which the server reads events, finds the same rows, missing values and times in a file that passes.

    The Python package of the BIDS validator judges names of files only, so it can be no oracle for what is in them.
    """
    text = "onset\tduration\tx\n" + "".join(f"{a!r}\t{b!r}\t{c}\n" for a, b, c in rows)
    events = check_events(text.encode())
    read = pd.read_csv(io.StringIO(text), sep="\t")
    missing = int(read["x"].isna().sum())
    if missing == len(rows):
        assert events.faults == ("column x holds nothing but n/a",)
        return
    assert (events.faults, events.rows, events.missing.get("x", 0)) == ((), len(read), missing)
    assert events.last == pytest.approx(float((read["onset"] + read["duration"]).max()))


@pytest.mark.parametrize("name", ["sub-01_task-raiders_run-1_events.tsv", "food.tsv"])
def test_names_are_no_matter(name: str) -> None:
    """An events file may be called anything: what the BIDS validator says of its name is not asked by the server."""
    assert BIDSValidator().is_bids(f"/sub-01/func/{name}") == name.endswith("_events.tsv")
    assert check_events(GOOD.encode()).faults == ()
