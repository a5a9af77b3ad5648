"""Shows results on the terminal, and keeps them in `docs/performance.md` or `docs/scaling.md`, each case between its own
markers.
"""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.result import Result

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (DOCS / "performance.md", DOCS / "scaling.md")
PACKAGES = ("aiohttp", "uvloop", "sqlalchemy", "orjson", "flywheel-sdk")


def machine() -> str:
    """What it was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    parts = [f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()}"]
    parts.append(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")
    parts += [f"{name} {version(name)}" for name in PACKAGES]
    return ", ".join(parts)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        text = ""
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return found[1].strip() if found else platform.processor() or platform.machine()


def show(console: Console, name: str, result: Result, seconds: float) -> None:
    """One table on the terminal."""
    table = Table(title=f"{name} ({seconds:.0f} s)", title_justify="left")
    for column in result.columns:
        table.add_column(column, overflow="fold")
    for row in result.rows:
        table.add_row(*(Text(cell) for cell in row))
    console.print(table)


def keep(name: str, result: Result, pages: Sequence[Path] = PAGES) -> None:
    """Put the table into its page, in place of what is between the case's markers, and its pictures beside it.

    Raises:
        ValueError: no page has a place for the case.
    """
    begin, end = f"<!-- bench:{name} -->", f"<!-- /bench:{name} -->"
    for page in pages:
        text = page.read_text(encoding="utf-8")
        if begin in text and end in text:
            break
    else:
        raise ValueError(f"{', '.join(page.name for page in pages)}: no {begin} … {end}")
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{_markdown(result)}\n{end}{after}", encoding="utf-8")
    for picture, content in result.pictures.items():
        (page.parent / picture).write_text(content, encoding="utf-8")


def _markdown(result: Result) -> str:
    lines = [_line(result.columns), _line(["---"] * len(result.columns)), *map(_line, result.rows)]
    notes = [f"\n{note}" for note in result.notes]
    return "\n".join([*lines, *notes, f"\n*{datetime.now(UTC):%Y-%m-%d}: {machine()}.*"])


def _line(cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in list(cells)) + " |"  # type: ignore[call-overload]
