"""`flyball plan` and `flyball why`: the same evaluator on the present data; nothing is written anywhere."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated, Any

import typer
from rich.text import Text

from flyball.app import Daemon
from flyball.asking import find_keys, why_all
from flyball.asking import plan as plan_on
from flyball.cli.common import Lab, known_rules, load_lab, show_rejected
from flyball.cli.looping import run_loop_value
from flyball.cli.progress import working
from flyball.cli.saying import FAILED, USAGE, WORK_FOUND, Exit, fail, options, out, say_json
from flyball.model.effect import EffectState
from flyball.rules.cells import rules_named
from flyball.rules.rule import Since

Json = dict[str, Any]


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
    if rule is not None:
        known_rules(lab, rule)
    if since not in (None, "all"):
        fail("--since takes only `all`: everything that a rule's own `since` leaves out", USAGE)
    with working("Reading the sites, judging"):
        found = run_loop_value(_plan(lab, rule, target, everything=since == "all"))
    if options.json:
        say_json(found)
    else:
        show_rejected(lab.rules)
        _show_plan(found)
    to_do = [effect for effect in found["effects"] if effect["state"] != EffectState.SHADOW]
    raise Exit(WORK_FOUND if exit_code and to_do else 0)


_REASONS = {"trigger": "their rules wait for a job, a hook or their time (`plan --rule ID` shows them all the same)"}


def _show_plan(found: Json) -> None:
    """What would be done, rule by rule; then what edited rules change, and the numbers."""
    edited = {entry["rule"] for entry in found["changed"]}
    for effect in found["effects"]:
        if effect["rule"] not in edited:
            _show_effect(effect)
    for entry in found["changed"]:
        mine = [effect for effect in found["effects"] if effect["rule"] == entry["rule"]]
        told = ", ".join(f"{len(entry[name])} {words}" for name, words in _SORTS.items())
        out.print(Text(f"{entry['rule']} was edited since it ran: {told}; {entry['kept']} stay", style="bold"))
        for effect in mine:
            _show_effect(effect, "  ")
    numbers = ", ".join(f"{verdict}: {count}" for verdict, count in found["decisions"].items())
    kinds = Counter(effect["kind"] for effect in found["effects"])
    by_kind = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    out.print(
        f"{len(found['effects'])} effects{f' ({by_kind})' if by_kind else ''}; {numbers}; {found['requests']} requests",
        markup=False,
    )
    for reason, count in found["held"].items():
        out.print(f"{count} targets not decided: {_REASONS.get(reason, reason)}", markup=False)


_SORTS = {
    "newly_tagged": "newly tagged",
    "untagged": "no longer tagged",
    "newly_launched": "newly launched",
    "other": "others",
}


def _show_effect(effect: Json, indent: str = "") -> None:
    """One line; of a launch, its inputs below, slot by slot."""
    state = f"  ({effect['state']})" if effect["state"] != EffectState.PLANNED else ""
    out.print(Text(f"{indent}{effect['summary']}{state}", style=_style(effect)))
    for slot, reference in (effect["params"].get("inputs") or {}).items():
        if isinstance(reference, dict):
            out.print(Text(f"{indent}    {slot} = {reference.get('name')}", style="dim"))


def _style(effect: Json) -> str:
    return "green" if effect["summary"].startswith("+") else "red" if effect["summary"].startswith("-") else ""


async def _plan(lab: Lab, rule: str | None, target: str | None, *, everything: bool) -> dict[str, Any]:
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, only_look=True) as daemon:
        fine = await daemon.look()
        if not fine:
            errors = "; ".join(
                watch.weather.error or "" for watch in daemon.all_watches.values() if watch.weather.error
            )
            fail(lab.secrets.mask(errors), FAILED)
        rules = list(lab.rules.rules) if rule is None else rules_named(lab.rules.rules, rule)
        if everything:
            rules = [replace(one, since=Since(everything=True)) for one in rules]
        only = None
        if target is not None:
            only = await find_keys(daemon.find, rules, target)
            if not only:
                fail(f"the site shows nothing named {target!r}")
        now, whenever = daemon.clock.now(), rule is not None
        found = await plan_on(daemon.store, daemon.dispatcher, rules, now, only=only, whenever=whenever)
        found["requests"] = sum(parts.requests.total for parts in daemon.all_sites.values())
    return found


def why(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    target: Annotated[str, typer.Argument(help="Id, or group/project/subject/session/acquisition/file.")],
) -> None:
    """The decision now and the last recorded one, condition by condition with the values read."""
    lab = load_lab()
    known_rules(lab, rule)
    with working("Reading the sites, judging"):
        found = run_loop_value(_why(lab, rule, target))
    if found is None:
        fail(f"the site shows nothing named {target!r} that rule {rule!r} is about")
    if options.json:
        say_json(found)
        return
    for answer in found.get("cells", [found]):
        _show_why(answer)


def _show_why(found: dict[str, Any]) -> None:
    verdict = found["decision"] or "not decided"
    out.print(Text(f"{found['rule']} on {found['target']['path']}: {verdict}", style="bold"))
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
        rules = rules_named(daemon.rules.rules, rule)
        keys = await find_keys(daemon.find, rules, target)
        await daemon.read_again(keys)
        return await why_all(daemon.store, daemon.dispatcher, rules, keys, daemon.clock.now())
