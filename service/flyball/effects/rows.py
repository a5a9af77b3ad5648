"""Rows of a CSV file as values for containers: dates, zones, ages, sexes; what is wrong, with its reason. Pure."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

DAY: Final = 86_400.0
SECONDS: Final[Mapping[str, float]] = {
    "years": 365.25 * DAY,
    "months": 365.25 / 12 * DAY,
    "weeks": 7 * DAY,
    "days": DAY,
    "seconds": 1.0,
}
OLDEST: Final = 130 * SECONDS["years"]
MOST_ROWS: Final = 100_000
_SEXES: Final = ("female", "male", "other", "unknown")


class RowFault(ValueError):  # noqa: N818 - it is reported
    """What is wrong with a row, for people."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        line: where it ends in the file, from 1.
        cells: heading → text; empty cells are left out.
        fault: what is wrong with the row itself.
    """

    line: int
    cells: Mapping[str, str]
    fault: str = ""


def read_table(content: bytes) -> Iterator[Row]:
    """The rows of a CSV file: comma, semicolon or tab, as the heading has it.

    Raises:
        RowFault: it is no table at all.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RowFault(f"it is no UTF-8 text (byte {error.start})") from None
    if "\0" in text:
        raise RowFault("it holds a zero byte; save it as CSV")
    heading = text.lstrip("\r\n").split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names: list[str] = []
    number = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(reader.line_num, {}, str(error))
            return
        if not any(cell.strip() for cell in cells):
            continue
        if not names:
            names = [cell.strip() for cell in cells]
            twice = sorted({name for name in names if name and names.count(name) > 1})
            if twice:
                raise RowFault(f"two columns are named {', '.join(map(repr, twice))}")
            continue
        number += 1
        if number > MOST_ROWS:
            raise RowFault(f"it has more than {MOST_ROWS:,} rows")
        found = {name: cell.strip() for name, cell in zip(names, cells, strict=False) if name and cell.strip()}
        more = [cell for cell in cells[len(names) :] if cell.strip()]
        fault = f"the row has {len(cells)} cells, the heading {len(names)}" if more else ""
        yield Row(reader.line_num, found, fault)


def age_of(text: str, unit: str) -> int:
    """Seconds, as the site has ages.

    Raises:
        RowFault: it is no number, or no age.
    """
    try:
        number = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    except ValueError:
        raise RowFault(f"the age {text!r} is no number") from None
    if not math.isfinite(number) or number < 0 or number * SECONDS[unit] > OLDEST:
        raise RowFault(f"the age {text!r} {unit} is no age")
    return round(number * SECONDS[unit])


def sex_of(text: str) -> str:
    """The site's word.

    Raises:
        RowFault: it is none of those that the site has.
    """
    word = text.strip().lower()
    found = next((sex for sex in _SEXES if word in (sex, sex[0])), None)
    if found is None:
        raise RowFault(f"the sex {text!r} is not one of {', '.join(_SEXES)}")
    return found


def time_of(text: str, form: str | None, zone: str | None) -> str:
    """A moment with its zone, as ISO text. Without a form, ISO.

    Raises:
        RowFault: it does not fit the form, has no zone, or is an hour that a change of the clocks left out.
    """
    try:
        moment = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)  # noqa: DTZ007 - below
    except ValueError:
        raise RowFault(f"the time {text!r} does not fit {form or 'ISO 8601, such as 2026-11-02T08:00'}") from None
    if moment.tzinfo is None:
        if zone is None:
            raise RowFault(f"the time {text!r} has no zone; name one with `zone`")
        moment = moment.replace(tzinfo=ZoneInfo(zone))
        if moment.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment.replace(tzinfo=None):
            raise RowFault(f"the time {text!r} does not exist in {zone}: the clocks were put forward")
    return moment.isoformat()


def number_of(text: str, what: str) -> float:
    """A plain number.

    Raises:
        RowFault: it is none.
    """
    try:
        number = float(text)
    except ValueError:
        raise RowFault(f"the {what} {text!r} is no number") from None
    if not math.isfinite(number):
        raise RowFault(f"the {what} {text!r} is no number")
    return number


def value_of(field: str, text: str, *, form: str | None, zone: str | None, unit: str) -> Any:
    """A field's value as the site takes it.

    Raises:
        RowFault: the text cannot be one.
    """
    if field == "age":
        return age_of(text, unit)
    if field == "sex":
        return sex_of(text)
    if field in ("timestamp", "date_of_birth"):
        return time_of(text, form, zone)
    return number_of(text, field) if field == "weight" else text
