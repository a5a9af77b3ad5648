"""`flyball plan` and `flyball why`: the same evaluator on the present data; nothing is written anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.text import Text

from flyball.app import Daemon
from flyball.asking import plan as plan_on
from flyball.asking import why as why_on
from flyball.cli.check import run_loop_value
from flyball.cli.common import (
    FAILED,
    USAGE,
    WORK_FOUND,
    Exit,
    Lab,
    fail,
    load_lab,
    options,
    out,
    say_json,
    show_rejected,
)
from flyball.rules.rule import Since


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command("plan")(plan)
    app.command("why")(why)


def plan(
    rule: Annotated[str | None, typer.Option(help="Only this rule.")] = None,
    target: Annotated[str | None, typer.Option(metavar="REF", help="Only this target (id or path).")] = None,
    since: Annotated[
        str | None, typer.Option(metavar="all", help="`all`: also what a rule's `since` leaves out.")
    ] = None,
    *,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit with 3 when there is work to do.")] = False,
) -> None:
    """What would be done on the present data."""
    lab = load_lab()
    known = [one.id for one in lab.rules.rules]
    if rule is not None and rule not in known:
        fail(f"there is no rule {rule!r}; there are: {', '.join(known)}", USAGE)
    if since not in (None, "all"):
        fail("--since takes only `all`: everything that a rule's own `since` leaves out", USAGE)
    found = run_loop_value(_plan(lab, rule, target, everything=since == "all"))
    if options.json:
        say_json(found)
    else:
        show_rejected(lab.rules)
        for effect in found["effects"]:
            out.print(Text(effect["summary"], style=_style(effect)))
        numbers = ", ".join(f"{verdict}: {count}" for verdict, count in found["decisions"].items())
        out.print(f"{len(found['effects'])} effects; {numbers}; {found['requests']} requests", markup=False)
        for reason, count in found["held"].items():
            out.print(f"{count} targets not decided: {reason}", markup=False)
    raise Exit(WORK_FOUND if exit_code and found["effects"] else 0)


def _style(effect: dict[str, Any]) -> str:
    return "green" if effect["summary"].startswith("+") else "red" if effect["summary"].startswith("-") else ""


async def _plan(lab: Lab, rule: str | None, target: str | None, *, everything: bool) -> dict[str, Any]:
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, only_look=True) as daemon:
        fine = await daemon.look()
        if not fine:
            errors = "; ".join(watch.weather.error or "" for watch in daemon.watches.values() if watch.weather.error)
            fail(lab.secrets.mask(errors), FAILED)
        rules = [one for one in lab.rules.rules if rule in (None, one.id)]
        if everything:
            rules = [replace(one, since=Since(everything=True)) for one in rules]
        only = None
        if target is not None:
            only = await daemon.find(target)
            if not only:
                fail(f"the site shows nothing named {target!r}")
        found = await plan_on(daemon.store, daemon.dispatcher, rules, daemon.clock.now(), only=only)
        found["requests"] = sum(parts.requests.total for parts in daemon.sites.values())
    return found


def why(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    target: Annotated[str, typer.Argument(help="Id, or group/project/subject/session/acquisition/file.")],
) -> None:
    """The decision now and the last recorded one, condition by condition with the values read."""
    lab = load_lab()
    if rule not in [one.id for one in lab.rules.rules]:
        fail(f"there is no rule {rule!r}; there are: {', '.join(one.id for one in lab.rules.rules)}", USAGE)
    found = run_loop_value(_why(lab, rule, target))
    if found is None:
        fail(f"the site shows nothing named {target!r} that rule {rule!r} is about")
    if options.json:
        say_json(found)
        return
    verdict = found["decision"] or "not decided"
    out.print(Text(f"{rule} on {found['target']['path']}: {verdict}", style="bold"))
    for reason in found["held_by"]:
        out.print(Text(f"  held by {reason}", style="yellow"))
    for line in found["because"]:
        values = ", ".join(f"{name} = {value}" for name, value in line["values"].items())
        note = f"  ({line['note']})" if line["note"] else ""
        out.print(Text(f"  {line['result']!s:>10}  {line['expr']}"))
        if values or note:
            out.print(Text(f"              {values}{note}", style="dim"))
    for effect in found["effects"]:
        out.print(Text(f"  would {effect['summary']}"))
    for condition in found["would_fire_if"]:
        out.print(Text(f"  would change with  {condition}", style="dim"))
    recorded = found["recorded"]
    if recorded is not None:
        out.print(Text(f"  recorded: {recorded.get('decision') or recorded.get('verdict')}", style="dim"))


async def _why(lab: Lab, rule: str, target: str) -> Any:
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, only_look=True) as daemon:
        await daemon.look()
        keys = await daemon.find(target)
        await daemon.read_again(keys)
        return await why_on(daemon.store, daemon.dispatcher, daemon.dispatcher.rules[rule], keys, daemon.clock.now())
