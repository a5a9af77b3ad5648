"""The list of rules as it is shown: those in force, those that were refused, and those that left something behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flyball.events.dispatch import Dispatcher
from flyball.ledger.history_counts import RuleCounts
from flyball.rules.reading import RuleSet
from flyball.rules.rule import Rule

Json = dict[str, Any]


def rule_entries(rules: RuleSet, dispatcher: Dispatcher, counted: Mapping[str, RuleCounts]) -> dict[str, Json]:
    """Every rule by its id.

    Args:
        rules: in force, and refused.
        dispatcher: knows which ones a person paused, and which an edit of their matrix took out.
        counted: what the ledger holds of each.
    """
    found: dict[str, Json] = {}
    for rule in rules.rules:
        record = dispatcher.records.get(rule.id)
        paused = record is not None and record.paused
        found[rule.id] = _entry(rule, counted.get(rule.id, RuleCounts()), paused=paused)
    for rejected in rules.rejected:
        name = rejected.id or str(rejected.place)
        found.setdefault(name, {"mode": "rejected", "decisions": {}, "effects": {}, "last_error": None})
        found[name]["rejected"] = str(rejected)
    for name, counts in counted.items():
        if name not in found:
            retired = name in dispatcher.rules  # an edit of its matrix took it out; it lets go of all it claimed
            found[name] = {"mode": "retired" if retired else "orphaned", "rejected": None, **_numbers(counts)}
    return found


def _entry(rule: Rule, counts: RuleCounts, *, paused: bool) -> Json:
    return {
        "title": rule.title,
        "site": rule.site,
        "each": str(rule.each),
        "written_as": rule.written_as,
        "mode": "paused" if paused else str(rule.mode),
        "version": rule.version,
        "place": str(rule.place),
        **_numbers(counts),
        "rejected": None,
    }


def _numbers(counts: RuleCounts) -> Json:
    return {"decisions": counts.decisions, "effects": counts.effects, "last_error": counts.last_error}


def together(ident: str, cells: Sequence[Json]) -> Json:
    """The entry of a rule with a matrix: the sums over its cells, and these."""
    modes = {cell["mode"] for cell in cells}
    return {
        **cells[0],
        "id": ident,
        "title": cells[0]["title"].rpartition(" (")[0],
        "mode": modes.pop() if len(modes) == 1 else "mixed",
        "decisions": {key: sum(cell["decisions"].get(key, 0) for cell in cells) for key in cells[0]["decisions"]},
        "effects": {key: sum(cell["effects"].get(key, 0) for cell in cells) for key in cells[0]["effects"]},
        "last_error": next((cell["last_error"] for cell in cells if cell["last_error"]), None),
        "cells": [cell["id"] for cell in cells],
    }
