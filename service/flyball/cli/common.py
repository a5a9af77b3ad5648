"""What verbs that work on a lab share: its settings and rules, read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from rich.text import Text

from flyball.cli.saying import USAGE, complain, err, fail, options
from flyball.clients.flywheel.keys import parse_key
from flyball.configfile.local import ConfigFiles
from flyball.configfile.references import mentioned
from flyball.configfile.suggest import instead
from flyball.effects.installed import installed
from flyball.logs import Secrets
from flyball.rules.cells import names_for_people, rules_named
from flyball.rules.parking import parked
from flyball.rules.reading import RuleSet, read_rules
from flyball.rules.reading.folder import SUFFIXES
from flyball.rules.rule import Rule
from flyball.settings import NeuroscoutSite, Settings, load_settings


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
        installed().catalog,
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


def show_rejected(rules: RuleSet) -> None:
    """Name every refused rule with its place, and each effect kind of a package that cannot be used."""
    for origin in installed().broken:
        complain(f"effect kind {origin}")
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
