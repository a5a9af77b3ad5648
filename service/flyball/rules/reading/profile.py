"""Profiles of rule files: checked and made into values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import ValidationError

from flyball.configfile.problems import problems_of
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Path, Written
from flyball.model.levels import Level
from flyball.model.place import Place, Problem
from flyball.rules.profiles import WORSE, Cut, Profile
from flyball.rules.reading.models import ChangeForm, CutForm, ProfileForm
from flyball.rules.scope import compile_globs

_ROOTS = tuple(str(level) for level in Level if level is not Level.MATRIX)


@dataclass(slots=True)
class Profiles:
    """All profiles of a folder. A name that two files define counts in the first; the second's rules must not use it.

    Attributes:
        good: name → profile.
    """

    good: dict[str, Profile] = field(default_factory=dict)
    _places: dict[str, Place] = field(default_factory=dict)
    _refused: dict[tuple[str, str], Place] = field(default_factory=dict)

    def add(self, name: str, found: Profile | tuple[Problem, ...], place: Place) -> tuple[Problem, ...]:
        """Take a profile over; what is wrong with it, or with there being a second one."""
        if isinstance(found, Profile) and name in self.good:
            message = f"there is a profile `{name}` already, at {self._places[name]}; rename one of the two"
            found = (Problem(place, message),)
        if isinstance(found, Profile):
            self.good[name], self._places[name] = found, place
            return ()
        self._refused[place.file, name] = place
        return found

    def find(self, file: str, name: str) -> Profile | str:
        """The profile that a rule of a file means, or why there is none."""
        refused = self._refused.get((file, name))
        if refused is None and name not in self.good:
            refused = next((place for (_, one), place in self._refused.items() if one == name), None)
        if refused is not None:
            return f"the profile `{name}` is refused, see {refused}"
        return self.good.get(name) or f"there is no profile `{name}`; {instead(name, self.good)}"


def read_profile(written: Written, name: str) -> Profile | tuple[Problem, ...]:
    """The profile of this name in a file, or what is wrong with it."""
    base: Path = ("profiles", name)
    try:
        form = ProfileForm.model_validate(written.root["profiles"][name])
    except ValidationError as error:
        return tuple(problems_of(error, written, ProfileForm, base))
    problems: list[Problem] = []

    def wrong(path: Path, message: str) -> None:
        problems.append(Problem(written.place((*base, *path)), message))

    places = tuple(tuple(place.split(".")) for place in form.places)
    for index, place in enumerate(places):
        if place[0] not in _ROOTS or not all(place):
            wrong(("from", index), f"`{'.'.join(place)}` is no place: write file.info, file.info.IQM or the like")
    metrics: dict[str, Cut] = {}
    for metric, cut in form.metrics.items():
        found = _cut(metric, cut)
        if isinstance(found, str):
            wrong(("metrics", metric), found)
        else:
            metrics[metric] = found
    for glob, changes in form.per_project.items():
        if "/" not in glob and glob != "*":
            wrong(("per_project", glob), f"{glob!r} names no group; write group/label, for instance {glob}/*")
        for metric, change in changes.items():
            message = _change(metric, change, form.metrics, metrics)
            if message:
                wrong(("per_project", glob, metric), message)
    if problems:
        return tuple(problems)
    return Profile(
        name,
        places,
        metrics,
        tuple(
            (
                compile_globs("project", [glob]),
                {metric: change.model_dump(exclude_unset=True) for metric, change in changes.items()},
            )
            for glob, changes in form.per_project.items()
        ),
    )


def _cut(metric: str, form: CutForm) -> Cut | str:
    """The cut-offs of one metric, or what is wrong with them."""
    problem = _limits(form.warn, form.fail)
    if problem:
        return problem
    if form.within is not None or form.min_n is not None:
        return "`within` and `min_n` belong to a robust z, which is not available in this version; leave them out"
    known = WORSE.get(metric)
    if form.worse is None and known is None:
        return f"`{metric}` is no metric whose bad direction is known; write `worse: higher` or `worse: lower`"
    worse = form.worse or known or "higher"
    if known is not None and worse != known:
        return f"`{metric}` gets worse when it gets {known}, never when it gets {worse}; turn the cut-offs around"
    if form.warn is None and form.fail is None:
        return f"`{metric}` has no cut-off; write `warn`, `fail` or both"
    cut = Cut(worse, _number(form.warn), _number(form.fail))
    return _order(cut) or cut


def _change(metric: str, form: ChangeForm, written: Mapping[str, CutForm], metrics: Mapping[str, Cut]) -> str:
    """What is wrong with a project's own cut-offs; empty: nothing."""
    if metric not in written:
        return f"the profile has no metric `{metric}`; {instead(metric, written)}"
    problem = _limits(form.warn, form.fail)
    if problem or metric not in metrics:
        return problem
    cut, given = metrics[metric], form.model_fields_set
    return _order(
        Cut(
            cut.worse,
            _number(form.warn) if "warn" in given else cut.warn,
            _number(form.fail) if "fail" in given else cut.fail,
        )
    )


def _limits(*limits: float | str | None) -> str:
    for limit in limits:
        if isinstance(limit, str):
            if limit.split()[:1] == ["z"]:
                return f"{limit!r}: a robust z within peers is not available in this version; write a number"
            return f"{limit!r} is no number"
        if limit is not None and not math.isfinite(limit):
            return f"{limit} is no cut-off; write a finite number"
    return ""


def _number(value: float | str | None) -> float | None:
    return value if isinstance(value, (int, float)) else None


def _order(cut: Cut) -> str:
    """`fail` lies beyond `warn`, else one of them can never come to pass."""
    if cut.warn is None or cut.fail is None:
        return ""
    fine = cut.warn <= cut.fail if cut.worse == "higher" else cut.warn >= cut.fail
    hint = "above" if cut.worse == "higher" else "below"
    return "" if fine else f"`fail` {cut.fail:g} must lie {hint} `warn` {cut.warn:g}, since {cut.worse} is worse"
