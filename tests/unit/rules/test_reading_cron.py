"""Crontab lines and zones are checked where they are written."""

import re

import pytest

from flyball.rules.reading.cron import check_cron, check_zone


@pytest.mark.parametrize(
    "line",
    [
        "0 4 * * *",
        "*/5 * * * *",
        "0,30 8-18/2 1-7 jan,Mar-dec 0-7",
        "59 23 31 12 sun",
        "0 0 * * MON-FRI",
        "15   3 * *   1",
        "0 22-23 * * 7",
    ],
)
def test_good_lines(line: str) -> None:
    """Numbers, ranges, steps, lists, names of months and days, in any case."""
    assert check_cron(line) == " ".join(line.lower().split())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "'' has 0 fields; a schedule has five: minute, hour, day, month, weekday"),
        ("0 4 * * * *", "has 6 fields"),
        ("@daily", "'@daily' has 1 fields"),
        ("60 * * * *", "the minute 60 is out of range; it goes from 0 to 59"),
        ("* 24 * * *", "the hour 24 is out of range; it goes from 0 to 23"),
        ("* * 0 * *", "the day of the month 0 is out of range; it goes from 1 to 31"),
        ("* * * 13 *", "the month 13 is out of range; it goes from 1 to 12"),
        ("* * * * 8", "the weekday 8 is out of range; it goes from 0 to 7"),
        ("* * * * mno", "the weekday 'mno' is no number from 0 to 7; did you mean `mon`?"),
        ("x * * * *", "the minute 'x' is no number from 0 to 59"),
        ("5-1 * * * *", "the minute '5-1' runs backwards; write the smaller one first"),
        ("*/0 * * * *", "the minute's step 0 is out of range; it goes from 1 to 59"),
        ("1,,2 * * * *", "the minute '' makes no sense; write *, a number, a-b, or these with /step"),
        ("-1 * * * *", "the minute '-1' makes no sense"),
        ("99999999999999 * * * *", "the minute 99999999999999 is out of range"),
    ],
)
def test_bad_lines(line: str, message: str) -> None:
    """The field that is wrong is named."""
    with pytest.raises(ValueError, match=re.escape(message)):
        check_cron(line)


def test_zones() -> None:
    """Zones are IANA names; a path or a nearly right name is none."""
    assert check_zone("America/New_York") == "America/New_York"
    assert check_zone("UTC") == "UTC"
    with pytest.raises(ValueError, match=r"there is no time zone 'Europe/Pariss'; did you mean `Europe/Paris`\?"):
        check_zone("Europe/Pariss")
    for odd in ("../../etc/passwd", "", "/etc/localtime", "Europe", "x\0y"):
        with pytest.raises(ValueError, match="there is no time zone"):
            check_zone(odd)
