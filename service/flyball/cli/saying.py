"""How the verbs speak: exit codes, JSON or tables on standard output, messages for people on standard error.

Loads nothing of the program's own, so that `flyball --help` need not either.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

FINE = 0
FAILED = 1
USAGE = 2
WORK_FOUND = 3

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Options:
    """What is taken before and after any command."""

    config: Path = Path("config")
    json: bool = False


options = Options()


class Exit(Exception):  # noqa: N818 - it is how a verb ends, not a fault
    """Ends a verb with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing") -> None:
    """A table on a terminal, without the columns that are empty; tab-separated lines in a pipe, all columns, no head.

    Labels are shown as they are, never as mark-up.
    """
    rows = list(rows)
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(_flat(cell) for cell in row) + "\n")
        return
    if not rows:
        out.print(Text(empty, style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [index for index in range(len(columns)) if any(row[index] not in (None, "") for row in rows)]
    for index in shown:
        numbers = all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(columns[index], overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(_flat(row[index])) for index in shown))
    out.print(table)


def _flat(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return "".join(character if character.isprintable() else " " for character in text)


def complain(message: str) -> None:
    """One message for people on standard error."""
    err.print(Text(message, style="red"))


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and end with the code."""
    if options.json:
        say_json({"error": {"code": "usage" if code == USAGE else "failed", "message": message}})
    else:
        complain(message)
    raise Exit(code)
