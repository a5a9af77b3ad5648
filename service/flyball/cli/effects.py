"""`flyball effects`: the ledger's effects."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.cli.check import run_loop_value
from flyball.cli.common import load_lab, options, say_json, say_table
from flyball.effects.installed import installed
from flyball.ledger.history import History


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("effects")(effects)


def effects(
    state: Annotated[str | None, typer.Option(help="Only in these states, joined by commas.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    target: Annotated[str | None, typer.Option(help="Only on this target (id or path).")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
) -> None:
    """List the ledger's effects, newest first."""
    rows = run_loop_value(_effects(state=state, rule=rule, target=target, kind=kind))
    if options.json:
        say_json(rows)
        return
    columns = ("id", "state", "rule", "what", "tries", "error")
    say_table(
        columns,
        ([row["id"], row["state"], row["rule"], row["summary"], row["attempts"], row["error"]] for row in rows),
        empty="no effects",
    )


async def _effects(**filters: Any) -> list[dict[str, Any]]:
    lab = load_lab()
    store = await SqliteStore.open(lab.settings.data_dir / LEDGER_NAME, read_only=True)
    try:
        history = History(store, kinds=installed().catalog)
        rows: list[dict[str, Any]] = []
        after = None
        while True:
            page = await history.effects(**filters, limit=1000, after=after)
            rows.extend(page["results"])
            after = page["next"]
            if after is None:
                return rows
    finally:
        await store.close()
