"""`flyball report`: a report now, from what the site has; nothing is written on the site or in the ledger."""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from flyball.app import Daemon
from flyball.cli.common import Lab, load_lab, with_rules
from flyball.cli.looping import run_loop_value
from flyball.cli.saying import FAILED, USAGE, fail, options, out, say_json
from flyball.configfile.suggest import instead
from flyball.effects.paths import clean
from flyball.effects.port import MadeReport
from flyball.effects.report import LACKS_PLOTS
from flyball.ledger.mirror import everything
from flyball.model.levels import Level
from flyball.model.node import Node
from flyball.model.place import Place
from flyball.reports.kinds import KINDS, LEVELS, READS, thin
from flyball.reports.making import Order, plots_possible
from flyball.reports.qc_judging import cut_json
from flyball.rules.profiles import Qc
from flyball.rules.rule import Rule, Since, Triggers
from flyball.rules.scope import Globs, Scope, compile_globs
from flyball.settings import FlywheelSite

FORMS = ("terminal", "csv", "html")
_SELDOM = (100_000, 20, 20)  # a page of rows is a hundred thousand objects, none of them in a circle
_STYLES = {"good": "green", "warn": "yellow", "bad": "red", "busy": "blue"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was asked for on the command line."""

    kind: str
    projects: Globs | None
    site: str
    gear: str
    profiles: tuple[str, ...]
    forms: tuple[str, ...]


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("report")(report)


def report(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=", ".join(KINDS))],
    project: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="group/label, with * and ?; may be given again; all if not."),
    ] = None,
    gear: Annotated[str | None, typer.Option(help="Of gear-status: the gear's name.")] = None,
    profile: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Of qc: a profile of the rule folder; may be given again.")
    ] = None,
    form: Annotated[
        str | None,
        typer.Option("--format", metavar="|".join(FORMS), help="terminal by default; by the file's ending with -o."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="PATH", help="A file; or a folder, for many projects.")
    ] = None,
    site: Annotated[str | None, typer.Option(help="Name of the site, where there are several.")] = None,
    *,
    tree: Annotated[bool, typer.Option("--tree", help="Of overview: as a tree in the terminal.")] = False,
) -> None:
    """A report now: to the terminal or to a file."""
    lab = load_lab()
    forms = _forms(form, output)
    wanted = Wanted(
        kind,
        _globs(project),
        _site(lab, site),
        gear or "",
        tuple(profile or ()),
        (*forms, *(("json",) if tree else ())),
    )
    _check(wanted, lab, tree=tree)
    made = run_loop_value(_made(lab, wanted))
    if not made:
        fail("no project that this key sees fits; `flyball find projects` lists them", FAILED)
    if output is not None:
        written = [_keep(output, one, forms[0], many=len(made) > 1) for one in made]
        if options.json:
            say_json([{"project": one["path"], "file": str(path)} for one, path in zip(made, written, strict=True)])
            return
        for path in written:
            out.print(Text(f"written {path}"))
        return
    if options.json:
        say_json([{"project": one["path"], **orjson.loads(one["files"]["json"])} for one in made])
        return
    if forms[0] != "terminal":
        if len(made) > 1:
            fail(f"{len(made)} projects fit: name one with --project, or a folder with --output", USAGE)
        sys.stdout.write(made[0]["files"][forms[0]].decode())
        sys.stdout.flush()
        return
    for one in made:
        if tree:
            _show_tree(orjson.loads(one["files"]["json"]))
        else:
            _show(orjson.loads(one["files"]["terminal"]))


def _forms(form: str | None, output: Path | None) -> tuple[str, ...]:
    if form is None and output is not None and output.suffix.lower() in (".csv", ".html"):
        form = output.suffix.lower()[1:]
    if form is None:
        form = "csv" if output is not None else "json" if options.json else "terminal"
    if form not in (*FORMS, "json"):
        fail(f"unknown format {form!r}; {instead(form, FORMS)}", USAGE)
    if options.json and output is None:
        return ("json",)
    return (form,)


def _globs(project: Sequence[str] | None) -> Globs | None:
    if not project:
        return None
    try:
        return compile_globs("project", project)
    except ValueError as error:
        fail(f"--project: {error}", USAGE)


def _site(lab: Lab, name: str | None) -> str:
    names = [one for one, settings in lab.settings.sites.items() if isinstance(settings, FlywheelSite)]
    if name is not None and name not in names:
        fail(f"there is no Flywheel site {name!r}; {instead(name, names)}", USAGE)
    if not names:
        fail("there is no Flywheel site in the settings", USAGE)
    if name is None and len(names) > 1:
        fail(f"there are several Flywheel sites; say which with --site: {', '.join(names)}", USAGE)
    return name or names[0]


def _check(wanted: Wanted, lab: Lab, *, tree: bool) -> None:
    if wanted.kind not in KINDS:
        fail(f"there is no report {wanted.kind!r}; {instead(wanted.kind, KINDS)}", USAGE)
    if (wanted.kind == "gear-status") != bool(wanted.gear):
        fail("--gear goes with gear-status, which needs it", USAGE)
    if wanted.profiles and wanted.kind != "qc":
        fail("--profile goes with qc", USAGE)
    if tree and wanted.kind != "overview":
        fail("--tree goes with overview", USAGE)
    known = _profiles(lab)
    for name in wanted.profiles:
        if name not in known:
            fail(f"there is no profile {name!r} in the rule folder; {instead(name, known)}", USAGE)
    if "html" in wanted.forms and not plots_possible():
        fail(LACKS_PLOTS, USAGE)


def _profiles(lab: Lab) -> dict[str, Any]:
    found = lab.rules.functions.get("qc")
    return dict(found.profiles) if isinstance(found, Qc) else {}


async def _made(lab: Lab, wanted: Wanted) -> list[dict[str, Any]]:
    """The reports of all projects that fit, in order of their paths."""
    rule = _rule(wanted)
    settings = lab.settings.model_copy(update={"sites": {wanted.site: lab.settings.sites[wanted.site]}})
    only = with_rules(replace(lab, settings=settings), replace(lab.rules, rules=(rule,), rejected=(), tests=()))
    gc.set_threshold(*_SELDOM)
    async with Daemon(only.settings, only.rules, only.secrets, only.environment, only_look=True) as daemon:
        for watch in daemon.watches.values():
            watch.poller.taking.remember, watch.poller.taking.thin = False, thin
        if not await daemon.look():
            errors = "; ".join(watch.weather.error or "" for watch in daemon.watches.values())
            fail(lab.secrets.mask(errors), FAILED)
        found: list[Node] = await daemon.store.read(
            lambda connection: list(everything(connection, wanted.site, Level.PROJECT))
        )
        paths = sorted((f"{node.parents.get('group', '?')}/{node.label}", node.id) for node in found)
        fitting = [(path, ident) for path, ident in paths if wanted.projects is None or wanted.projects.match(path)]
        reports = daemon.press.at(wanted.site, daemon.sites[wanted.site].address)
        profiles = _profiles(lab)
        made = []
        for path, ident in fitting:
            cuts: dict[str, Any] = {}
            for name in wanted.profiles:
                cuts |= cut_json(profiles[name].at(path))
            order = Order(wanted.kind, path, wanted.gear, cuts)
            async with reports.made(order, ident, wanted.forms) as one:
                made.append({"path": path, "files": _read(one)})
        return made


def _read(made: MadeReport) -> dict[str, bytes]:
    return {form: Path(local.path).read_bytes() for form, local in made.files.items()}


def _rule(wanted: Wanted) -> Rule:
    """A rule that does nothing: it says what has to be read of the site."""
    levels = frozenset(LEVELS[wanted.kind])
    scope = Scope({"project": wanted.projects}) if wanted.projects is not None else Scope()
    return Rule(
        id="report",
        title="report",
        site=wanted.site,
        each=Level.PROJECT,
        place=Place("command line", 0, 0),
        version=f"{wanted.kind}",
        do=(),
        scope=scope,
        since=Since(everything=True),
        reads=READS[wanted.kind],
        trigger=Triggers(changed=False),
        rests_on=levels,
        summed=True,
    )


def _keep(output: Path, one: dict[str, Any], form: str, *, many: bool) -> Path:
    """Write one report to the file, or into the folder, that was named."""
    into = many or output.is_dir() or not output.suffix
    folder = output if into else output.parent
    name = f"{one['path'].replace('/', '_')}.{form}" if into else output.name
    place = folder / clean(name)
    beside = folder / f".{clean(name)}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(one["files"][form])
        beside.replace(place)
    except OSError as error:
        fail(f"{place} cannot be written: {error.strerror}")
    return place


def _show(content: dict[str, Any]) -> None:
    out.print(Text(f"{content['title']}: {content['subtitle']}", style="bold"))
    for label, value, tone in content["facts"]:
        out.print(Text(f"  {label:<32} "), Text(value or "-", style=_STYLES.get(tone, "")), sep="")
    for note in content["notes"]:
        out.print(Text(f"  {note}", style="dim"))
    for table in content["tables"]:
        out.print()
        out.print(Text(table["title"], style="bold"))
        shown = Table(box=None, pad_edge=False, header_style="bold")
        for column in table["columns"]:
            shown.add_column(Text(column), overflow="fold")
        for row in table["rows"]:
            shown.add_row(*(Text(_text(value), style=_STYLES.get(tone, "")) for value, tone in row))
        out.print(shown)
        more = table["total"] - len(table["rows"])
        if more:
            out.print(Text(f"and {more:,} more; --format csv has all", style="dim"))
    out.print()


def _show_tree(content: dict[str, Any]) -> None:
    """Project, subjects, sessions, acquisitions; how often, where more than once; and what is missing."""
    top = Tree(Text(content["subtitle"], style="bold"))
    branches: dict[str, Tree] = {}
    for row in content["rows"]:
        subject = str(row["subject"])
        if subject not in branches:
            branches[subject] = top.add(Text(_text(subject)))
        visit = branches[subject].add(Text(_text(row["session"])))
        for label, count in list(row.items())[4:-1]:
            if count:
                visit.add(Text(f"{_text(label)}{f' ({count} times)' if count > 1 else ''}"))
        if row["missing"]:
            visit.add(Text(f"missing: {row['missing']}", style="yellow"))
    out.print(top)


def _text(value: Any) -> str:
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else " " for character in text)
