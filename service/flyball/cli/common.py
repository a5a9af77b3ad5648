"""What the verbs share: where the lab's files are, how things are said, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flyball.clients.flywheel.keys import parse_key
from flyball.configfile.local import ConfigFiles
from flyball.configfile.references import mentioned
from flyball.configfile.suggest import instead
from flyball.effects.catalog import KINDS
from flyball.logs import Secrets
from flyball.rules.cells import names_for_people, rules_named
from flyball.rules.parking import parked
from flyball.rules.reading import RuleSet, read_rules
from flyball.rules.reading.folder import SUFFIXES
from flyball.rules.rule import Rule
from flyball.settings import NeuroscoutSite, Settings, load_settings

FINE = 0
FAILED = 1
USAGE = 2
WORK_FOUND = 3

out = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
err = Console(stderr=True, highlight=False, soft_wrap=True)


@dataclass(slots=True)
class Options:
    """What is taken before and after any command."""

    config: Path = Path("config")
    json: bool = False


options = Options()


class Exit(Exception):  # noqa: N818 - it is how a verb ends, not a fault
    """Ends a verb with an exit code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab's files, read."""

    settings: Settings
    rules: RuleSet
    secrets: Secrets
    environment: Mapping[str, str]

    def reread(self) -> RuleSet:
        """The rule folder as it is now."""
        return _read(self.settings, self.environment)


def load_lab(environment: Mapping[str, str] | None = None, *, config: Path | None = None, offline: bool = False) -> Lab:
    """Read settings and rules.

    `offline`: nothing will be asked of a site or a channel, so that secrets need not be set.

    Raises:
        ConfigError: the settings cannot be used. Broken rules are no error here: they are listed in `rules.rejected`.
    """
    env = os.environ if environment is None else environment
    settings = load_settings(config or options.config, env, check_key=parse_key, stand_in=offline)
    if offline:
        env = {**dict.fromkeys(_referred(settings.rules_dir), "not-set"), **env}
    secrets = Secrets(*settings.secret_values())
    rules = _read(settings, env)
    for rule in rules.rules:
        for spec in rule.do:
            for reference in getattr(spec, "secret_names", ()):
                secrets.add(env.get(reference, ""))
    return Lab(settings, rules, secrets, env)


def _referred(folder: Path) -> set[str]:
    """The variables that rule files refer to."""
    paths = [path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file()]
    return {name for path in paths for name in mentioned(path.read_text(encoding="utf-8", errors="replace"))}


def _read(settings: Settings, environment: Mapping[str, str]) -> RuleSet:
    rules = read_rules(
        settings.rules_dir,
        KINDS,
        settings.site_kinds,
        environment,
        channels=settings.channel_kinds,
        hooks=frozenset(settings.hooks),
        fields_out=frozenset(settings.fields_out),
        files=ConfigFiles(settings.config_dir),
    )
    idle = frozenset(
        name for name, site in settings.sites.items() if isinstance(site, NeuroscoutSite) and not site.has_account
    )
    return parked(rules, idle)


def with_rules(lab: Lab, rules: RuleSet) -> Lab:
    """The same lab with another rule set."""
    return replace(lab, rules=rules)


def say_json(value: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(orjson.dumps(value, default=str, option=orjson.OPT_INDENT_2).decode() + "\n")
    sys.stdout.flush()


def say_table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, empty: str = "nothing") -> None:
    """A table on a terminal, without the columns that are empty; tab-separated lines in a pipe, all columns, no head.

    Labels are shown as they are, never as mark-up.
    """
    rows = list(rows)
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(_flat(cell) for cell in row) + "\n")
        return
    if not rows:
        out.print(Text(empty, style="dim"))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    shown = [index for index in range(len(columns)) if any(row[index] not in (None, "") for row in rows)]
    for index in shown:
        numbers = all(isinstance(row[index], int | float | None) for row in rows)
        table.add_column(columns[index], overflow="fold", justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(Text(_flat(row[index])) for index in shown))
    out.print(table)


def _flat(cell: Any) -> str:
    text = "" if cell is None else str(cell)
    return "".join(character if character.isprintable() else " " for character in text)


def complain(message: str) -> None:
    """One message for people on standard error."""
    err.print(Text(message, style="red"))


def fail(message: str, code: int = FAILED) -> NoReturn:
    """Say what is wrong and end with the code."""
    if options.json:
        say_json({"error": {"code": "usage" if code == USAGE else "failed", "message": message}})
    else:
        complain(message)
    raise Exit(code)


def show_rejected(rules: RuleSet) -> None:
    """Name every refused rule with its place."""
    for rejected in rules.rejected:
        complain(str(rejected))
    for warning in rules.warnings:
        err.print(Text(str(warning), style="yellow"))


def known_rules(lab: Lab, ident: str) -> list[Rule]:
    """The rules that an id means: the rule, or all cells of its matrix; the program ends where there is none."""
    found = rules_named(lab.rules.rules, ident)
    if not found:
        known = names_for_people(lab.rules.rules)
        fail(f"there is no rule {ident!r}; {instead(ident, known)}", USAGE)
    return found
