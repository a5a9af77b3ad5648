"""Filling an analysis: runs of the dataset, predictors by the names in the model."""

import hashlib
from dataclasses import dataclass
from typing import Any

from flyball.sandbox.scout.records import Analysis, Doc, Run
from flyball.sandbox.scout.searching import visible_predictors
from flyball.sandbox.scout.state import Scout


@dataclass(frozen=True, slots=True)
class Filled:
    """What filling would make of an analysis."""

    runs: list[int]
    predictors: list[int]
    model: Doc


def fill(scout: Scout, analysis: Analysis, *, partial: bool) -> Filled:
    """Work out what is missing; with `partial`, names that are not found leave the model.

    Only public predictors are resolved, so custom ones leave the model, too.
    """
    runs, model = list(analysis.runs), dict(analysis.model)
    if not runs:
        rows = scout.runs_of(analysis.dataset_id)
        runs = [row.id for row in rows]
        model["Input"] = _input(scout, rows)
    predictors = list(analysis.predictors)
    names = _conditions(model)
    if not predictors and names:
        found = {p.name: p.id for p in visible_predictors(scout, run_ids=runs, names=names)}
        if all(name in found for name in names) or partial:
            predictors = [found[name] for name in names if name in found]
            model = _without(model, {name for name in names if name not in found})
    return Filled(runs, predictors, model)


def _input(scout: Scout, rows: list[Run]) -> Doc:
    """The entities that have values, in no particular order."""
    values: dict[str, set[Any]] = {
        "Subject": {row.subject for row in rows},
        "Run": {row.number for row in rows if row.number is not None},
        "Task": {scout.tasks[row.task_id].name for row in rows},
        "Session": {row.session for row in rows if row.session is not None},
    }
    return {name: _jumbled(found) for name, found in values.items() if found}


def _jumbled(values: set[Any]) -> list[Any]:
    if all(isinstance(v, int) for v in values):
        return sorted(values)
    return sorted(values, key=lambda v: hashlib.sha256(str(v).encode()).digest())


def _conditions(model: Doc) -> list[str]:
    steps = model.get("Steps")
    if not isinstance(steps, list) or not steps or not isinstance(steps[0], dict):
        return []
    conditions = (steps[0].get("Model") or {}).get("X") or []
    return [x for x in conditions if isinstance(x, str)]


def _without(model: Doc, lost: set[str]) -> Doc:
    """The model without some names: a transformation that used one takes all of them and the contrasts along."""
    if not lost:
        return model
    step: Doc = dict(model["Steps"][0])
    step["Model"] = {**step["Model"], "X": [x for x in step["Model"]["X"] if x not in lost]}
    if any(lost & set(t.get("Input") or []) for t in step.get("Transformations") or []):
        step["Transformations"], step["Contrasts"] = [], []
    elif any(lost & set(c.get("ConditionList") or []) for c in step.get("Contrasts") or []):
        step["Contrasts"] = []
    return {**model, "Steps": [step, *model["Steps"][1:]]}
