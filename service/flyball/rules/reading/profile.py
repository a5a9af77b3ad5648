"""Profiles of rule files: checked and made into values."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from flyball.configfile.problems import problems_of
from flyball.configfile.suggest import instead
from flyball.configfile.tree import Path, Written
from flyball.model.levels import Level, above
from flyball.model.place import Place, Problem
from flyball.rules.profiles import MIN_N, WORSE, Cut, Limit, Profile, Worse, Z
from flyball.rules.reading.models import ChangeForm, CutForm, ProfileForm
from flyball.rules.reading.names import a
from flyball.rules.scope import compile_globs

_ROOTS = tuple(str(level) for level in Level if level is not Level.MATRIX)
_Z = re.compile(r"z\s*([-+]?[0-9]+(?:\.[0-9]+)?)")


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
    roots = {place[0] for place in places}
    level = places[0][0] if len(roots) == 1 and roots <= set(_ROOTS) else ""
    metrics: dict[str, Cut] = {}
    for metric, cut in form.metrics.items():
        elsewhere = any(_is_z(changes[metric]) for changes in form.per_project.values() if metric in changes)
        found = _cut(metric, cut, level, elsewhere=elsewhere)
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
                {
                    metric: {key: _read(limit) for key, limit in _changes(change, metrics[metric]).items()}
                    for metric, change in changes.items()
                },
            )
            for glob, changes in form.per_project.items()
        ),
    )


def _is_z(form: ChangeForm) -> bool:
    return any(isinstance(limit, str) and _Z.fullmatch(limit.strip()) for limit in (form.warn, form.fail))


def _cut(metric: str, form: CutForm, level: str, *, elsewhere: bool) -> Cut | str:
    """The cut-offs of one metric, or what is wrong with them.

    Args:
        metric: its name.
        form: as written.
        level: that the profile's places are of; peers are compared at it.
        elsewhere: whether some project has a robust z of this metric.
    """
    known = WORSE.get(metric)
    if form.worse is None and known is None:
        return f"`{metric}` is no metric whose bad direction is known; write `worse: higher` or `worse: lower`"
    worse = form.worse or known or "higher"
    if known is not None and worse != known:
        return f"`{metric}` gets worse when it gets {known}, never when it gets {worse}; turn the cut-offs around"
    if form.warn is None and form.fail is None:
        return f"`{metric}` has no cut-off; write `warn`, `fail` or both"
    warn, fail = _limit("warn", form.warn, worse), _limit("fail", form.fail, worse)
    for limit in (warn, fail):
        if isinstance(limit, str):
            return limit
    compared = elsewhere or isinstance(warn, Z) or isinstance(fail, Z)
    problem = _peer_problem(form, level, compared=compared)
    if problem:
        return problem
    within = tuple(tuple(path.split(".")) for path in form.within or ())
    cut = Cut(worse, _read(warn), _read(fail), within, form.min_n if form.min_n is not None else MIN_N)
    return _order(cut) or cut


def _change(metric: str, form: ChangeForm, written: Mapping[str, CutForm], metrics: Mapping[str, Cut]) -> str:
    """What is wrong with a project's own cut-offs; empty: nothing."""
    if metric not in written:
        return f"the profile has no metric `{metric}`; {instead(metric, written)}"
    if metric not in metrics:
        return ""
    cut = metrics[metric]
    found = _changes(form, cut)
    wrong = next((limit for limit in found.values() if isinstance(limit, str)), "")
    if wrong:
        return wrong
    limits = {key: _read(limit) for key, limit in found.items()}
    return _order(replace(cut, warn=limits.get("warn", cut.warn), fail=limits.get("fail", cut.fail)))


def _changes(form: ChangeForm, cut: Cut) -> dict[str, Limit | str]:
    """The cut-offs that a project has of its own; a text is what is wrong with one."""
    return {key: _limit(key, getattr(form, key), cut.worse) for key in ("warn", "fail") if key in form.model_fields_set}


def _limit(key: str, limit: float | str | None, worse: Worse) -> Limit | str:
    """One cut-off, or what is wrong with it."""
    if not isinstance(limit, str):
        if limit is not None and not math.isfinite(limit):
            return f"{limit} is no cut-off; write a finite number"
        return limit
    found = _Z.fullmatch(limit.strip())
    if found is None:
        return f"{limit!r} is no number, and no robust z such as 'z {'3' if worse == 'higher' else '-3'}'"
    z = Z(float(found[1]))
    if z.value == 0 or (z.value > 0) != (worse == "higher"):
        side = "above" if worse == "higher" else "below"
        right = f"z {'' if worse == 'higher' else '-'}{abs(z.value) or 3:g}"
        return (
            f"`{key}` {limit!r}: {worse} is worse, so the cut-off lies {side} the median of the peers; write {right!r}"
        )
    return z


def _read(limit: Limit | str) -> Limit:
    return None if isinstance(limit, str) else limit


def _peer_problem(form: CutForm, level: str, *, compared: bool) -> str:
    """What is wrong with the peer group; empty: nothing."""
    if not compared:
        given = form.within is not None or form.min_n is not None
        return "`within` and `min_n` belong to a robust z, such as `warn: z -3`; leave them out" if given else ""
    if not form.within:
        return "a robust z needs `within`: what peers have in common, such as [project, acquisition.label]"
    if not level:
        return "a robust z needs the metrics at one level: let `from` name places of one level only"
    for path in form.within:
        parts = path.split(".")
        known = {"group", *(str(level) for level in above(Level(level))), level}
        if parts[0] not in known or not all(parts):
            return f"`within`: `{path}` is nothing that {a(level)} has; write project, acquisition.label or the like"
    return ""


def _order(cut: Cut) -> str:
    """`fail` lies beyond `warn`, else one of them can never come to pass. A number and a z cannot be compared."""
    warn, fail = cut.warn, cut.fail
    if isinstance(warn, Z) and isinstance(fail, Z):
        warn, fail = warn.value, fail.value
    if warn is None or fail is None or isinstance(warn, Z) or isinstance(fail, Z):
        return ""
    fine = warn <= fail if cut.worse == "higher" else warn >= fail
    hint = "above" if cut.worse == "higher" else "below"
    return "" if fine else f"`fail` {fail:g} must lie {hint} `warn` {warn:g}, since {cut.worse} is worse"
