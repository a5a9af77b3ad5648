"""A report as one HTML file that needs nothing else: no script, no network; light, dark, phone, desk, print. Pure.

Everything that comes from a site is escaped, and links are made of ids alone. The page forbids itself scripts and
requests (`Content-Security-Policy`), should something slip through.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from flyball.reports.cells import Cell, plain
from flyball.reports.content import MOST_ROWS, Content, Entry, Figure, Matrix, Table

_LONG: Final = 24  # characters of a cell that may break
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def page(content: Content, draw: Callable[[Figure, int], str]) -> str:
    """The HTML file.

    Args:
        content: what is said.
        draw: gives a figure as an SVG element.
    """
    title = f"{content.title}: {content.subtitle}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="referrer" content="no-referrer">',
            f"<title>{text(title)}</title>",
            f"<style>\n{files('flyball.reports').joinpath('page.css').read_text('utf-8')}</style></head>",
            f"<body><header><h1>{text(content.title)}</h1><p>{text(content.subtitle)}</p></header>",
            "<main>",
            *_facts(content),
            *_notes(content),
            *_figures(content, draw),
            *(_table(table, number) for number, table in enumerate(content.tables, 1)),
            "</main>",
            "<footer>Made by Flyball from the metadata on the site. Times are UTC. The CSV has every row.</footer>",
            "</body></html>",
            "",
        ]
    )


def _facts(content: Content) -> list[str]:
    if not content.facts:
        return []
    shown = "".join(
        f"<div><dt>{text(fact.label)}</dt><dd{_class(fact.tone)}>{text(fact.value) or '-'}</dd></div>"
        for fact in content.facts
    )
    return [f'<section aria-label="In short"><dl class="facts">{shown}</dl></section>']


def _notes(content: Content) -> list[str]:
    if not content.notes:
        return []
    shown = "".join(f"<li>{text(note)}</li>" for note in content.notes)
    return [f'<section aria-label="Notes"><ul class="notes">{shown}</ul></section>']


def _figures(content: Content, draw: Callable[[Figure, int], str]) -> list[str]:
    if not content.figures:
        return []
    shown = []
    for number, figure in enumerate(content.figures, 1):
        note = f'<p class="said">{text(figure.note)}</p>' if figure.note else ""
        wide = ' class="wide"' if isinstance(figure.plot, Matrix) and figure.plot.wide else ""
        shown.append(
            f"<figure{wide}><figcaption>{text(figure.title)}</figcaption>{draw(figure, number)}{note}</figure>"
        )
    return ['<section aria-label="Figures"><div class="figures">', *shown, "</div></section>"]


def _table(table: Table, number: int) -> str:
    rows = table.rows[:MOST_ROWS]
    total = table.total or len(table.rows)
    numeric = [_numeric(table, index) for index in range(len(table.columns))]
    head = "".join(
        f'<th scope="col"{_class("n" if right else "")}>{text(column)}</th>'
        for column, right in zip(table.columns, numeric, strict=True)
    )
    body = "".join(f"<tr>{_cells(row, numeric)}</tr>" for row in rows)
    said = [table.note] if table.note else []
    if total > len(rows):
        said.append(f"The first {len(rows):,} of {total:,}; the CSV has all.")
    note = f'<p class="said">{text(" ".join(said))}</p>' if said else ""
    return (
        f'<section><h2 id="t{number}">{text(table.title)}</h2>'
        f'<div class="scroll" role="region" aria-labelledby="t{number}" tabindex="0">'
        f'<table aria-labelledby="t{number}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
        f"</div>{note}</section>"
    )


def _cells(row: Sequence[Cell | Entry], numeric: list[bool]) -> str:
    columns = enumerate(zip(row, numeric, strict=True))
    return "".join(_cell(cell, right=right, first=not index) for index, (cell, right) in columns)


def _cell(cell: Cell | Entry, *, right: bool, first: bool) -> str:
    entry = cell if isinstance(cell, Entry) else Entry(cell)
    value = entry.value
    shown = text(f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value)
    breaks = len(str(value)) > _LONG
    if entry.link and shown:
        shown = f'<a href="{escape(entry.link)}" rel="noreferrer">{shown}</a>'
    if entry.tone and shown:
        long = " long" if breaks else ""
        shown = f'<span class="tag {entry.tone}{long}">{shown}</span>'
    name, scope = ("th", ' scope="row"') if first else ("td", "")
    return f"<{name}{scope}{_class('n' if right else 'b' if breaks else '')}>{shown}</{name}>"


def _numeric(table: Table, index: int) -> bool:
    """Whether a column stands right: each of its values looks like a number."""
    cells = [row[index] for row in table.rows[:50]]
    values = [cell.value if isinstance(cell, Entry) else cell for cell in cells]
    shown = [value for value in values if value not in ("", None)]
    return index > 0 and bool(shown) and all(isinstance(value, (int, float)) or _looks(str(value)) for value in shown)


def _looks(value: str) -> bool:
    try:
        float(value.removesuffix(" %").replace(",", ""))
    except ValueError:
        return False
    return True


def _class(name: str) -> str:
    return f' class="{name}"' if name else ""


def text(value: object) -> str:
    """Something as text of the page: escaped, on one line; None is empty."""
    return "" if value is None else escape(plain(str(value)))
