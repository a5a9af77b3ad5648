"""Which names an entry gives in each cell of its rule's matrix, for looking them up beforehand. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flyball.clients.neuroscout.names import RunChoice
from flyball.effects.scout.analysis import AnalysisEntry
from flyball.effects.scout.predictors import PredictorsEntry
from flyball.effects.scout.texts import filled
from flyball.rules.expression import Unknown
from flyball.rules.rule import Rule


def values_of(rule: Rule, entry: AnalysisEntry | PredictorsEntry) -> Iterator[tuple[str, list[RunChoice], list[str]]]:
    """For each cell: dataset, the choices of runs, and predictors. What hangs on a target's own data is passed over."""
    cells: list[Mapping[str, Any]] = [cell.names for cell in rule.cells.values()]
    cells = cells or [_own_matrix(rule)]
    for names in cells:
        if isinstance(entry, AnalysisEntry):
            found = filled(entry.parts, names)
            if isinstance(found, Unknown):
                continue
            try:
                numbers = tuple(int(number) for number in found["runs"])
            except ValueError:
                continue
            choice = RunChoice(tuple(found["tasks"]), tuple(found["subjects"]), numbers, tuple(found["sessions"]))
            yield str(found["dataset"]), [choice], [str(name) for name in found["predictors"]]
            continue
        dataset = filled(entry.dataset, names)
        choices = [one for source in entry.sources if (one := _choice(source.runs, names)) is not None]
        if not isinstance(dataset, Unknown) and choices:
            yield str(dataset), choices, []


def _own_matrix(rule: Rule) -> Mapping[str, Any]:
    return {"matrix": dict(rule.matrix), **rule.matrix}


def _choice(runs: Mapping[str, Any], names: Mapping[str, Any]) -> RunChoice | None:
    found = filled(runs, names)
    if isinstance(found, Unknown):
        return None
    try:
        numbers = tuple(int(number) for number in found["numbers"])
    except ValueError:
        return None
    return RunChoice(tuple(found["tasks"]), tuple(found["subjects"]), numbers, tuple(found["sessions"]))
