"""`flyball approve|reject|retry|forget` on effects, `backfill` and `undo` on rules: what a person decides.

Each is one transaction on the ledger; a running daemon carries out what follows within a second, else the next run
does.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

import typer

from flyball.cli.common import known_rules, load_lab
from flyball.cli.saying import FAILED, FINE, USAGE, Exit, complain, fail, options, out, say_json
from flyball.cli.writing import write
from flyball.ledger import reopening, steering
from flyball.ledger.failures import retry_group
from flyball.ledger.undoing import undo as undo_rule

Json = dict[str, Any]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("approve")(approve)
    app.command("reject", help="Give held effects up.")(_verb(steering.reject))
    app.command("retry")(retry)
    app.command("forget", help="Clear the once-key of effects on purpose: they may be done again.")(
        _verb(reopening.forget)
    )
    app.command("backfill")(backfill)
    app.command("undo")(undo)


def approve(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Numbers of effects.")] = None,
    rule: Annotated[str | None, typer.Option(help="Everything that this rule holds; releases its canary.")] = None,
) -> None:
    """Let held effects go."""
    if bool(ids) == bool(rule):
        fail("name effects, or a rule with --rule", USAGE)
    if rule is not None:
        done = write(load_lab(), partial(reopening.approve_rule, rule=rule))
        _say(done, [])
        return
    _each(steering.approve, ids or [])


def retry(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID...]", help="Numbers of effects.")] = None,
    rule: Annotated[str | None, typer.Option(help="All failed ones of this rule.")] = None,
    gear: Annotated[str | None, typer.Option(help="All failed launches of this gear.")] = None,
    kind: Annotated[str | None, typer.Option(help="All failed ones of this kind.")] = None,
    error: Annotated[str | None, typer.Option(metavar="TEXT", help="All whose reason holds this text.")] = None,
) -> None:
    """Try failed effects again: single ones, or all that have something in common (`effects --grouped`)."""
    if bool(ids) == any((rule, gear, kind, error)):
        fail("name effects, or what they have in common with --rule, --gear, --kind or --error", USAGE)
    if ids:
        _each(steering.retry, ids)
        return
    done = write(load_lab(), partial(retry_group, rule=rule, gear=gear, kind=kind, error=error))
    if options.json:
        say_json(done)
    else:
        out.print(f"{len(done)} effects are tried again", markup=False)


def _verb(move: Callable[..., Json]) -> Callable[..., None]:
    def verb(ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Numbers of effects.")]) -> None:
        _each(move, ids)

    return verb


def _each(move: Callable[..., Json], ids: list[str]) -> None:
    lab = load_lab()
    done: list[Json] = []
    wrong: list[str] = []
    for ident in ids:
        try:
            done.append(write(lab, partial(move, ident=ident)))
        except (LookupError, ValueError) as error:
            wrong.append(str(error.args[0]))
    _say(done, wrong)


def _say(done: list[Json], wrong: list[str]) -> None:
    if options.json:
        say_json(done)
    else:
        for entry in done:
            out.print(f"effect {entry['id']} is {entry['state']}", markup=False)
    for message in wrong:
        complain(message)
    raise Exit(FAILED if wrong else FINE)


def backfill(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    since: Annotated[str | None, typer.Option(metavar="DATE", help="Only targets created then or later.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="So many targets; again for the next ones.")] = None,
) -> None:
    """Queue decisions for existing data; only what is missing is done."""
    lab = load_lab()
    found = known_rules(lab, rule)
    date = None
    if since is not None:
        try:
            date = datetime.fromisoformat(since)
        except ValueError:
            fail(f"{since!r} is no date; write 2026-03-01", USAGE)
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
    if found[0].cells:
        fail(f"rule {rule!r} looks at each cell of its matrix, whatever their age: nothing is left out", USAGE)
    answers = []
    for one in found:
        work = partial(reopening.backfill, rule=one.id, site=one.site, level=one.each, since=date, limit=limit)
        try:
            answers.append(write(lab, work))
        except LookupError as error:
            fail(str(error.args[0]))
    answer = {"rule": rule, **{key: sum(one[key] for one in answers) for key in ("queued", "left")}}
    if options.json:
        say_json(answer)
    else:
        out.print(f"{answer['queued']} targets queued, {answer['left']} left", markup=False)


def undo(rule: Annotated[str, typer.Argument(help="Id of the rule; also of one that is in no file any more.")]) -> None:
    """Take back the tags and open alerts that a rule made, and pause it; what people set stays."""
    try:
        answer = write(load_lab(), partial(undo_rule, rule=rule))
    except LookupError as error:
        fail(str(error.args[0]))
    if options.json:
        say_json(answer)
        return
    out.print(
        f"{rule} is paused; {answer['queued']} things are taken back, {answer['cancelled']} cancelled", markup=False
    )
    for entry in answer["stays"]:
        out.print(f"stays: {entry['id']} {entry['summary']}", markup=False)
