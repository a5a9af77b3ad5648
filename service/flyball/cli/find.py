"""`flyball find`: what a site has, with the site's own filter syntax."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from flyball.cli import scouting
from flyball.cli.common import load_lab
from flyball.cli.looping import run_loop
from flyball.cli.saying import FINE, USAGE, Exit, fail, options, say_json, say_table
from flyball.clients.flywheel.probe import probe
from flyball.clock import SystemClock
from flyball.scouts import connect_scout
from flyball.settings import FlywheelSite, NeuroscoutSite
from flyball.sites import connect

KINDS = {
    f"{level}s" if level != "analysis" else "analyses": level
    for level in (
        "group",
        "project",
        "subject",
        "session",
        "acquisition",
        "file",
        "analysis",
        "gear",
        "job",
        "collection",
        "user",
    )
}
_COLUMNS: dict[str, tuple[str, ...]] = {
    "group": ("id", "label"),
    "project": ("id", "group", "label", "created"),
    "subject": ("id", "label", "sex", "tags", "created"),
    "session": ("id", "label", "timestamp", "tags", "created"),
    "acquisition": ("id", "label", "timestamp", "tags", "created"),
    "file": ("id", "name", "type", "classification", "tags"),
    "analysis": ("id", "label", "gear_info.name", "created"),
    "gear": ("id", "gear.name", "gear.version", "category"),
    "job": ("id", "gear_info.name", "state", "tags", "created"),
    "collection": ("id", "label", "created"),
    "user": ("id", "firstname", "lastname"),
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("find")(find)


def find(
    kind: Annotated[
        str, typer.Argument(help=f"What: {', '.join(KINDS)}; on a Neuroscout server: {', '.join(scouting.KINDS)}")
    ],
    filter_: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILTER]",
            help="The site's own filter: label=~^T1,created>2026-01-01; on Neuroscout dataset=Life,name=rmse",
        ),
    ] = None,
    site: Annotated[str | None, typer.Option(help="Name of the site; default: the only one.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many at the most.")] = None,
    *,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV instead of a table.")] = False,
) -> None:
    """List what the site has."""
    scout = _scout_for(kind, site)
    if scout is not None:
        raise Exit(run_loop(_find_on_scout(*scout, kind, filter_, limit, as_csv=as_csv)))
    level = KINDS.get(kind) or (kind if kind in _COLUMNS else None)
    if level is None:
        fail(f"there is no kind {kind!r}; there are: {', '.join([*KINDS, *scouting.KINDS])}", USAGE)
    raise Exit(run_loop(_find(level, filter_, site, limit, as_csv=as_csv)))


def _scout_for(kind: str, site: str | None) -> tuple[str, NeuroscoutSite] | None:
    """The Neuroscout site that a kind is to be looked for on; None: it is a matter of a Flywheel site.

    Both have analyses: without a site named, those on Flywheel are meant, where there is a Flywheel site.
    """
    if kind not in scouting.KINDS:
        return None
    sites = load_lab().settings.sites
    scouts = {name: one for name, one in sites.items() if isinstance(one, NeuroscoutSite)}
    if site is not None:
        if site not in scouts and kind in KINDS:
            return None
        if site not in scouts:
            fail(f"there is no Neuroscout site {site!r}; there are: {', '.join(scouts) or 'none'}", USAGE)
        return site, scouts[site]
    if kind in KINDS and len(scouts) < len(sites):
        return None
    if len(scouts) != 1:
        fail(f"name one of the Neuroscout sites with --site: {', '.join(scouts) or 'there is none'}", USAGE)
    name = next(iter(scouts))
    return name, scouts[name]


async def _find_on_scout(
    name: str, settings: NeuroscoutSite, kind: str, chosen: str | None, limit: int | None, *, as_csv: bool
) -> int:
    parts = connect_scout(name, settings, SystemClock())
    try:
        rows = await scouting.find_on(parts, kind, chosen)
    finally:
        await parts.client.close()
    _show(rows[:limit], scouting.KINDS[kind], kind, as_csv=as_csv)
    return FINE


async def _find(level: str, chosen: str | None, site: str | None, limit: int | None, *, as_csv: bool) -> int:
    lab = load_lab()
    sites = {name: one for name, one in lab.settings.sites.items() if isinstance(one, FlywheelSite)}
    if site is None and len(sites) != 1:
        fail(f"name one of the sites with --site: {', '.join(sites) or 'there is none'}", USAGE)
    name = site or next(iter(sites))
    if name not in sites:
        fail(f"there is no site {name!r}; there are: {', '.join(sites)}", USAGE)
    parts = connect(name, sites[name])
    rows: list[dict[str, Any]] = []
    try:
        parts.client.dialect = await probe(parts.client)
        async for page in parts.client.iterate(level, filter=chosen):
            rows.extend(page)
            if limit is not None and len(rows) >= limit:
                break
    finally:
        await parts.client.close()
    _show(rows[:limit], _COLUMNS[level], level, as_csv=as_csv)
    return FINE


def _show(rows: Sequence[dict[str, Any]], columns: Sequence[str], what: str, *, as_csv: bool) -> None:
    """The rows as JSON, CSV or a table."""
    if options.json:
        say_json(rows)
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(columns)
        writer.writerows([[_cell(row, column) for column in columns] for row in rows])
    else:
        say_table(columns, ([_cell(row, column) for column in columns] for row in rows), empty=f"no {what} found")


def _cell(row: Any, column: str) -> Any:
    for part in column.split("."):
        row = row.get(part) if isinstance(row, dict) else None
    if isinstance(row, list):
        return " ".join(str(one.get("name", one)) if isinstance(one, dict) else str(one) for one in row)
    if isinstance(row, dict):
        return "; ".join(f"{key}={_joined(value)}" for key, value in row.items())
    return row


def _joined(value: Any) -> str:
    return "/".join(map(str, value)) if isinstance(value, list) else str(value)
