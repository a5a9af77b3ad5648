"""From a project's rows to a report's files. Pure; the plotting library comes in only where a page is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from flyball.reports.cells import csv_text
from flyball.reports.content import Content, Entry, Table
from flyball.reports.demographics import demographics
from flyball.reports.gear_status import gear_status
from flyball.reports.overview import overview
from flyball.reports.page import page
from flyball.reports.qc import qc
from flyball.reports.qc_judging import cuts_from
from flyball.reports.rows import Project

PLOTTING: Final = "matplotlib"


@dataclass(frozen=True, slots=True)
class Order:
    """What report is wanted.

    Attributes:
        kind: one of `kinds.KINDS`.
        path: `group/label` of the project.
        gear: of `gear-status`, the gear's name.
        cuts: of `qc`, cut-offs by metric, as `qc_judging.cut_json` writes them.
        links: of `qc`, the address of a session on the site's pages, with `{session}`; empty: none.
    """

    kind: str
    path: str
    gear: str = ""
    cuts: Mapping[str, Any] = field(default_factory=dict)
    links: str = ""


def plots_possible() -> bool:
    """Whether the plotting library (extra `reports`) is there; it is looked for, not loaded."""
    return find_spec(PLOTTING) is not None


def content_of(order: Order, project: Project) -> Content:
    """What the report says."""
    match order.kind:
        case "demographics":
            return demographics(project, order.path)
        case "overview":
            return overview(project, order.path)
        case "qc":
            return qc(project, order.path, cuts_from(order.cuts), links=order.links)
        case "gear-status":
            return gear_status(project, order.path, order.gear)
        case _:
            raise ValueError(f"there is no report {order.kind!r}")


def written(content: Content, form: str) -> bytes:
    """The report in a format, `csv` or `html`."""
    if form == "csv":
        return csv_text(content.columns, content.rows).encode()
    from flyball.reports.plots import svg  # noqa: PLC0415 - 60 MB and a second that a CSV does not need

    return page(content, svg).encode("utf-8", "replace")


def as_json(content: Content) -> dict[str, Any]:
    """The report as JSON: headline figures, notes, and the CSV's rows as maps."""
    return {
        "title": content.title,
        "subtitle": content.subtitle,
        "numbers": dict(content.numbers),
        "notes": list(content.notes),
        "rows": [dict(zip(content.columns, row, strict=True)) for row in content.rows],
    }


def for_terminal(content: Content, most: int = 40) -> dict[str, Any]:
    """What a terminal shows of it: facts, notes, and the first rows of each table, as JSON."""
    return {
        "title": content.title,
        "subtitle": content.subtitle,
        "facts": [[fact.label, fact.value, fact.tone] for fact in content.facts],
        "notes": list(content.notes),
        "tables": [_shown(table, most) for table in content.tables],
    }


def _shown(table: Table, most: int) -> dict[str, Any]:
    rows: list[Sequence[Any]] = [
        [[cell.value, cell.tone] if isinstance(cell, Entry) else [cell, ""] for cell in row]
        for row in table.rows[:most]
    ]
    return {"title": table.title, "columns": list(table.columns), "rows": rows, "total": table.total or len(table.rows)}
