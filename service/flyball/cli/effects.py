"""`flyball effects`, `approve`, `reject`, `retry`: the ledger's effects."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import typer

from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.cli.check import run_loop_value
from flyball.cli.common import FAILED, FINE, Exit, complain, load_lab, options, out, say_json, say_table
from flyball.clock import SystemClock
from flyball.effects.catalog import KINDS
from flyball.ledger import steering
from flyball.ledger.history import History


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("effects")(effects)
    for verb, move, text in (
        ("approve", steering.approve, "Let held effects go."),
        ("reject", steering.reject, "Give held effects up."),
        ("retry", steering.retry, "Try failed effects again."),
    ):
        app.command(verb, help=text)(_verb(move))


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
        history = History(store, kinds=KINDS)
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


def _verb(move: Callable[..., dict[str, Any]]) -> Callable[..., None]:
    def verb(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Numbers of effects.")]) -> None:
        done, wrong = run_loop_value(_steer(move, ids))
        if options.json:
            say_json(done)
        else:
            for entry in done:
                out.print(f"effect {entry['id']} is {entry['state']}", markup=False)
        for message in wrong:
            complain(message)
        raise Exit(FAILED if wrong else FINE)

    return verb


async def _steer(move: Callable[..., dict[str, Any]], ids: list[str]) -> tuple[list[dict[str, Any]], list[str]]:
    lab = load_lab()
    store = await SqliteStore.open(lab.settings.data_dir / LEDGER_NAME, guest=True)
    done: list[dict[str, Any]] = []
    wrong: list[str] = []
    try:
        for ident in ids:
            now = SystemClock().now()
            try:
                done.append(await store.write(partial(move, ident=ident, now=now)))
            except (LookupError, ValueError) as error:
                wrong.append(str(error.args[0]))
    finally:
        await store.close()
    return done, wrong
