"""CSV that no spreadsheet runs. Pure.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return is taken for a formula by spreadsheets (OWASP,
"CSV injection"). Texts that begin so get an apostrophe before them, which spreadsheets take as "this is text". Numbers
are left as they are: they come from us, not from labels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

Cell = str | int | float | bool | None

_RUN: Final = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")  # also in full width, which some take as the same
_FIRST: Final = ("\t", "\r", "\n")
_SPLITS: Final = frozenset(";\t")  # separators of other countries' spreadsheets
_HIDDEN: Final = dict.fromkeys((*range(32), 127, *range(128, 160), 8232, 8233), " ")


def plain(text: str) -> str:
    """A text on one line, without control characters and lone halves of characters."""
    return text.translate(_HIDDEN).encode("utf-8", "replace").decode()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula; other texts unchanged but for control characters."""
    shown = plain(text)
    if text.startswith(_FIRST) or (shown.lstrip()[:1] in _RUN and shown.strip()):
        return f"'{shown}"
    return shown


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """A table as CSV (RFC 4180 with line feeds): None is empty, numbers as Python writes them, texts made harmless."""
    out = io.StringIO()
    sparing = csv.writer(out, lineterminator="\n")
    quoting = csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in (columns, *rows):
        cells = [harmless(cell) if isinstance(cell, str) else cell for cell in row]
        split = any(isinstance(cell, str) and not _SPLITS.isdisjoint(cell) for cell in cells)
        (quoting if split else sparing).writerow(cells)
    return out.getvalue()
