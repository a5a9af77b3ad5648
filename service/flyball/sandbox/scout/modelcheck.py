"""What compiling finds wrong with an analysis: the checks that were seen on the real server, in its words.

`build=false` looks only at events; `build=true` also runs the model's first step over the dataset.
"""

from fnmatch import fnmatchcase
from typing import Any

from flyball.sandbox.scout.records import Analysis
from flyball.sandbox.scout.state import Scout

_TRANSFORMATIONS = {
    "and", "assign", "concatenate", "convolve", "copy", "delete", "demean", "dropna", "factor", "filter", "group",
    "lag", "mean", "not", "or", "orthogonalize", "power", "product", "rename", "replace", "resample", "scale",
    "select", "split", "std", "sum", "threshold", "todense",
}  # fmt: skip
"""Names that the model library knows (BIDS Stats Models, pybids-transforms-v1)."""


def problem_of(scout: Scout, analysis: Analysis, *, build: bool) -> str | None:
    """What is wrong with an analysis; None if it compiles."""
    predictors = [scout.predictors[p] for p in analysis.predictors if p in scout.predictors]
    if not any(scout.events_of(p, run) for p in predictors for run in analysis.runs):
        return "Error: Predictor events are null"
    if not build:
        return None
    steps = analysis.model.get("Steps")
    if not isinstance(steps, list) or not steps:
        return "'steps'"
    if not any(scout.runs[r].dataset_id == analysis.dataset_id for r in analysis.runs if r in scout.runs):
        return "No functional images that match criteria found."
    known = _variables(scout, analysis)
    return _transformations(steps[0], known) or _design(steps[0], known)


def _variables(scout: Scout, analysis: Analysis) -> list[str]:
    """The analysis' predictors, and what the events files of the dataset hold for its runs."""
    names = [scout.predictors[p].name for p in analysis.predictors]
    wanted = set(analysis.runs)
    rows = [p for p in scout.predictors.values() if p.dataset_id == analysis.dataset_id and p.source == "events"]
    names += [p.name for p in rows if p.runs & wanted]
    return list(dict.fromkeys([*names, "stim_file"]))


def _transformations(step: dict[str, Any], known: list[str]) -> str | None:
    """Carry out the transformations as far as names go; what they make is added to `known`."""
    for entry in _entries(step):
        name = str(entry.get("Name", ""))
        if name.lower() not in _TRANSFORMATIONS:
            hint = "either explicitly register a handler, or pass a default module that supports it."
            return f"No transformation {name!r} found: {hint}"
        inputs = _listed(entry.get("Input"))
        for wanted in inputs:
            if not any(_same(wanted, variable) for variable in known):
                return _unknown(wanted, known)
        known.extend(out for out in _listed(entry.get("Output")) if out not in known)
        if name.lower() in {"factor", "split"}:
            known.extend(f"{wanted}.*" for wanted in inputs)
    return None


def _entries(step: dict[str, Any]) -> list[dict[str, Any]]:
    """Both spellings: a list, or a map with instructions."""
    given = step.get("Transformations") or []
    if isinstance(given, dict):
        given = given.get("Instructions") or []
    return [entry for entry in given if isinstance(entry, dict)]


def _design(step: dict[str, Any], known: list[str]) -> str | None:
    conditions = (step.get("Model") or {}).get("X") or []
    for wanted in conditions:
        if isinstance(wanted, str) and wanted != "1" and not any(_same(wanted, variable) for variable in known):
            return _unknown(wanted, known)
    named = {name for c in step.get("Contrasts") or [] for name in _listed(c.get("ConditionList")) if name != "1"}
    absent = sorted(n for n in named if not any(isinstance(x, str) and _same(x, n) for x in conditions))
    if absent:
        listed = ", ".join(repr(name) for name in absent)
        return f"Invalid condition names passed in one or more  contrast condition lists: {{{listed}}}."
    return None


def _listed(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, str)]


def _same(one: str, other: str) -> bool:
    return one == other or fnmatchcase(one, other) or fnmatchcase(other, one)


def _unknown(name: str, known: list[str]) -> str:
    return f"No variable named {name!r} found in this collection. Available names are {known}."
