"""Parking: rules that need an account which the settings do not have. They wait, and the rest of the lab runs. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from flyball.model.place import Problem
from flyball.rules.reading.result import RuleSet
from flyball.rules.rule import Mode, Rule


def parked(rules: RuleSet, without_account: Collection[str]) -> RuleSet:
    """The rule set with all rules paused that work on a Neuroscout site without an account; each is named once.

    Args:
        rules: as read.
        without_account: names of the sites that have none.
    """
    idle = frozenset(without_account)
    if not idle:
        return rules
    kept: list[Rule] = []
    notes: dict[str, Problem] = {}
    for rule in rules.rules:
        sites = {rule.site, *(getattr(spec, "scout", "") for spec in rule.do)} & idle
        if not sites or rule.mode is Mode.PAUSED:
            kept.append(rule)
            continue
        kept.append(replace(rule, mode=Mode.PAUSED))
        site = min(sites)
        message = f"rule {rule.written_as} is paused: site `{site}` has no account; set its `email` and `password`"
        notes.setdefault(rule.written_as, Problem(rule.place, message))
    return replace(rules, rules=tuple(kept), warnings=(*rules.warnings, *notes.values()))
