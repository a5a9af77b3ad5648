"""`flyball effects`: the ledger's effects."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from flyball.adapters.store.opening import open_ledger
from flyball.cli.common import load_lab
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import options, out, say_json, say_table
from flyball.effects.installed import installed
from flyball.ledger.history import History
from flyball.model.effect import EffectState


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("effects")(effects)


def effects(
    state: Annotated[str | None, typer.Option(help="Only in these states, joined by commas.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only of this rule.")] = None,
    target: Annotated[str | None, typer.Option(help="Only on this target (id or path).")] = None,
    kind: Annotated[str | None, typer.Option(help="Only of this kind.")] = None,
    *,
    grouped: Annotated[bool, typer.Option("--grouped", help="The failed ones by kind, gear and reason.")] = False,
) -> None:
    """List the ledger's effects, newest first; failed ones with what they have in common."""
    if grouped:
        found = run_loop_value(_groups(rule))
        if options.json:
            say_json(found)
        else:
            say_groups(found)
        return
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
    if state == str(EffectState.FAILED) and len(rows) > 1 and sys.stdout.isatty():
        out.print("")
        say_groups(run_loop_value(_groups(rule)))


def say_groups(groups: list[dict[str, Any]]) -> None:
    """What failed, by kind, gear and reason."""
    say_table(
        ("failed", "kind", "gear", "rules", "reason", "for instance"),
        (
            [row["count"], row["kind"], row["gear"], ", ".join(row["rules"]), row["reason"], row["targets"][0]]
            for row in groups
        ),
        empty="nothing failed",
    )


async def _groups(rule: str | None) -> list[dict[str, Any]]:
    settings = load_lab().settings
    store = await open_ledger(settings.ledger, settings.data_dir, read_only=True)
    try:
        return await History(store).failures(rule)
    finally:
        await store.close()


async def _effects(**filters: Any) -> list[dict[str, Any]]:
    lab = load_lab()
    store = await open_ledger(lab.settings.ledger, lab.settings.data_dir, read_only=True)
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
