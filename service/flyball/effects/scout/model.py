"""A BIDS Stats Model of the usual two levels, made from names; and what an analysis is to hold. Pure.

The model is the one that the official client builds for the same names (pyNS 0.5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]


def build_model(
    name: str,
    predictors: Sequence[str],
    runs: Sequence[Mapping[str, Any]],
    *,
    hrf: Sequence[str] = (),
    transformations: Sequence[Mapping[str, Any]] = (),
    contrasts: Sequence[Mapping[str, Any]] = (),
    dummy_contrasts: bool | str = True,
    sessions: Sequence[str] = (),
) -> Json:
    """The model.

    Args:
        name: of the model.
        predictors: variables of the design matrix.
        runs: the runs' rows: their subjects, tasks and numbers are the model's input.
        hrf: predictors to convolve with the haemodynamic response.
        transformations: before the convolution.
        contrasts: of the run level.
        dummy_contrasts: one contrast a predictor; `hrf`: only for those that are convolved.
        sessions: to be named in the input.
    """
    steps = [dict(step) for step in transformations]
    if hrf:
        steps.append({"Name": "Convolve", "Input": list(hrf)})
    first: Json = {
        "Level": "Run",
        "Model": {"X": list(predictors)},
        "Transformations": steps,
        "Contrasts": [dict(contrast) for contrast in contrasts],
    }
    if dummy_contrasts:
        first["DummyContrasts"] = {"Type": "t"}
        if dummy_contrasts == "hrf" and hrf:
            first["DummyContrasts"]["Conditions"] = list(hrf)
    given: Json = {
        "Subject": sorted({str(run["subject"]) for run in runs if run.get("subject") is not None}),
        "Task": sorted({str(run["task_name"]) for run in runs if run.get("task_name") is not None}),
    }
    numbers = sorted({run["number"] for run in runs if run.get("number")})
    if numbers:
        given["Run"] = numbers
    if sessions:
        given["Session"] = list(sessions)
    return {
        "Name": name,
        "Input": given,
        "Steps": [
            first,
            {"Level": "Subject", "DummyContrasts": {"Type": "FEMA"}},
            {"Level": "Dataset", "DummyContrasts": {"Type": "t"}},
        ],
    }


def variables_of(model: Mapping[str, Any]) -> list[str]:
    """The predictors that a whole model names: the variables of its run level that are no outputs of transformations.

    The intercept (1) and names that a transformation makes are no predictors.
    """
    steps = model.get("Steps")
    first = steps[0] if isinstance(steps, list) and steps and isinstance(steps[0], Mapping) else {}
    inner = first.get("Model")
    named = inner.get("X") if isinstance(inner, Mapping) else None
    made: set[str] = set()
    taken: list[str] = []
    transformations = first.get("Transformations")
    if isinstance(transformations, Mapping):
        transformations = transformations.get("Instructions")
    for step in transformations if isinstance(transformations, list) else ():
        if isinstance(step, Mapping):
            taken += [name for name in _texts(step.get("Input")) if name not in made]
            made |= set(_texts(step.get("Output")))
    found = [*_texts(named), *taken]
    return [name for name in dict.fromkeys(found) if name not in made]


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def description_of(text: str, key: str) -> str:
    """What an analysis of ours is described with: the rule's text, and the once-key by which it is found again."""
    return f"{text.rstrip()}\n\n[{key}]".lstrip()
