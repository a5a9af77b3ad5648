"""BIDS events files, checked before they are uploaded. Pure.

The server checks late and partly never: a file without `onset` stays PENDING for ever, rows with `n/a` are dropped in
silence, columns that only later files have are dropped likewise, and what failed once cannot be deleted. So everything
that it would stumble over is found here, with the line.

Sources: BIDS 1.10 on events files (tab separated, UTF-8, a header, onset and duration in seconds, `n/a` for what is
missing), and what the server was seen to do with each kind of file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TIMES = ("onset", "duration")
MISSING = "n/a"
MOST_FAULTS = 8  # of one file that are told
MOST_BYTES = 64 * 1024 * 1024
_READ_AS_MISSING = frozenset({"", "NA", "N/A", "nan", "NaN", "null", "NULL", "#N/A", "None", "<NA>"})
"""What the server's reader of tables takes for no value, beside `n/a`."""


@dataclass(frozen=True, slots=True)
class Events:
    """What a file holds.

    Attributes:
        columns: its predictors: every column but onset and duration.
        rows: number of rows.
        missing: column → rows that have `n/a` there; the server leaves them out of that predictor.
        last: the end of the last event, seconds.
        faults: what is wrong, for people, each with its line; empty: it can be uploaded.
    """

    columns: tuple[str, ...] = ()
    rows: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    last: float = 0.0
    faults: tuple[str, ...] = ()


def check_events(content: bytes) -> Events:
    """Read an events file and find what is wrong with it."""
    text, fault = _text(content)
    if fault:
        return Events(faults=(fault,))
    lines = text.split("\n")
    while lines and not lines[-1].strip("\r"):
        lines.pop()
    if not lines:
        return Events(faults=("the file is empty",))
    rows = [line.rstrip("\r").split("\t") for line in lines]
    faults = _header_faults(rows[0], lines[0])
    if faults:
        return Events(faults=tuple(faults))
    return _body(rows[0], rows[1:])


def same_columns(files: Sequence[tuple[str, Events]]) -> list[str]:
    """What keeps files from being uploaded together: each must have the columns of the first."""
    if not files:
        return ["there are no events files"]
    first_name, first = files[0]
    wanted = set(first.columns)
    faults = []
    for name, events in files[1:]:
        lacks, more = sorted(wanted - set(events.columns)), sorted(set(events.columns) - wanted)
        said = [f"lacks {', '.join(lacks)}"] if lacks else []
        said += [f"has {', '.join(more)} besides"] if more else []
        if said:
            faults.append(f"{name} {' and '.join(said)}: all files of a collection have the columns of {first_name}")
    return faults


def _text(content: bytes) -> tuple[str, str]:
    if len(content) > MOST_BYTES:
        return "", f"the file is larger than {MOST_BYTES // (1024 * 1024)} MB"
    if content.startswith(b"\xef\xbb\xbf"):
        return "", "the file begins with a byte order mark, which would become part of `onset`; save it without"
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return "", f"the file is no UTF-8 text (byte {error.start})"
    if "\x00" in text:
        return "", "the file is no text: it holds zero bytes"
    return text.replace("\r\n", "\n"), ""


def _header_faults(header: Sequence[str], line: str) -> list[str]:
    if len(header) == 1 and any(sign in line for sign in (",", ";")):
        sign = "commas" if line.count(",") >= line.count(";") else "semicolons"
        return [f"line 1: the columns are separated by {sign}; BIDS separates them by tabs"]
    faults = []
    for name in TIMES:
        if name not in header:
            near = next((one for one in header if one.strip().lower() == name), None)
            hint = f"; `{near}` is written differently" if near is not None else ""
            faults.append(f"line 1: there is no column `{name}`{hint}")
    for index, name in enumerate(header):
        fault = _name_fault(name)
        if fault:
            faults.append(f"line 1, column {index + 1}: {fault}")
        elif name in header[:index]:
            faults.append(f"line 1: there are two columns `{name}`")
    if not faults and len(header) == len(TIMES):
        faults.append("line 1: there is no column besides onset and duration, so there would be no predictor")
    return faults[:MOST_FAULTS]


def _name_fault(name: str) -> str:
    """Why a column cannot become a predictor."""
    if not name.strip():
        return "it has no name"
    if name != name.strip():
        return f"blanks around the name {name.strip()!r}"
    if any(sign in name for sign in (",", "/")) or not name.isprintable():
        return f"the name {name!r} holds a comma, a slash or an invisible sign; such predictors cannot be found again"
    return ""


def _body(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Events:
    faults: list[str] = []
    columns = tuple(name for name in header if name not in TIMES)
    missing = dict.fromkeys(columns, 0)
    onset, duration = header.index("onset"), header.index("duration")
    last = 0.0
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            faults.append(f"line {number}: {len(row)} values for {len(header)} columns")
            continue
        begin = _seconds(row[onset])
        length = _seconds(row[duration])
        for name, value, read in (("onset", row[onset], begin), ("duration", row[duration], length)):
            if read is None:
                faults.append(f"line {number}: {name} {value!r} is no number of seconds; such rows would be dropped")
        if length is not None and length < 0:
            faults.append(f"line {number}: duration {length:g} is negative")
        if begin is not None and length is not None:
            last = max(last, begin + length)
        for name, value in zip(header, row, strict=True):
            if name in TIMES:
                continue
            if value == MISSING:
                missing[name] += 1
            elif value.strip() in _READ_AS_MISSING:
                faults.append(f"line {number}: {name} is {value!r}; write n/a for what is missing")
    if not rows:
        faults.append("there is no row below the header")
    faults += [f"column {name} holds nothing but n/a" for name in columns if rows and missing[name] == len(rows)]
    if len(faults) > MOST_FAULTS:
        faults = [*faults[:MOST_FAULTS], f"and {len(faults) - MOST_FAULTS} more"]
    return Events(columns, len(rows), {name: n for name, n in missing.items() if n}, last, tuple(faults))


def _seconds(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and text == text.strip() and "_" not in text else None
