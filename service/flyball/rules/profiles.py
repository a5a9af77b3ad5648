"""QC profiles: named cut-offs, and `qc(profile)`, which holds a document against one. Pure.

A cut-off is absolute, or a robust z among peers whose statistics are handed in (`peers`). It has a direction that
belongs to the metric (a higher `tsnr` is never worse). MRIQC writes its metrics to different places (`file.info` in the
older gear, `file.info.IQM` in the newer), so a profile names places and the first that has a metric counts; the result
says which it was.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from flyball.rules.expression import Unknown, is_unknown
from flyball.rules.peers import NO_PEERS, Path, Peers, PeerTable, group_of
from flyball.rules.scope import Globs

Worse = Literal["higher", "lower"]

SENTINELS: Mapping[str, float] = {"fber": -1.0, "qi_2": 0.0}
"""Values that MRIQC writes when it could not compute the metric (MRIQC's own documentation)."""

_HIGHER = (
    "aor aqi cjv dvars_nstd dvars_std dvars_vstd efc fd_max fd_mean fd_num fd_perc fwhm_avg fwhm_x fwhm_y "
    "fwhm_z gcor gsr_x gsr_y inu_range qi_1 qi_2 rpve_csf rpve_gm rpve_wm"
)
_LOWER = (
    "cnr fber snr snr_csf snr_gm snr_total snr_wm snrd_csf snrd_gm snrd_total snrd_wm tpm_overlap_csf tpm_overlap_gm "
    "tpm_overlap_wm tsnr"
)
WORSE: Mapping[str, Worse] = {
    **dict.fromkeys(_HIGHER.split(), "higher"),
    **dict.fromkeys(_LOWER.split(), "lower"),
}
"""The bad direction of MRIQC's metrics, where there is one (reference: `mriqc-metrics`)."""


@dataclass(frozen=True, slots=True)
class Z:
    """A cut-off in robust standard deviations from the median of the peers: `z -3`."""

    value: float

    def __str__(self) -> str:
        return f"z {self.value:g}"


Limit = float | Z | None
MIN_N = 20
"""Least size of a peer group, unless the profile says otherwise."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One metric's cut-offs: beyond `fail` it fails, else beyond `warn` it warns; None: no such cut-off.

    Attributes:
        within: what peers have in common, as paths; empty: no cut-off is a robust z.
        min_n: fewer peers say nothing.
    """

    worse: Worse
    warn: Limit = None
    fail: Limit = None
    within: tuple[Path, ...] = ()
    min_n: int = MIN_N

    def judge(self, value: float, z: float | None = None) -> str | None:
        """`ok`, `warn` or `fail`; None where that hangs on an unknown z. On the cut-off is still on the good side."""
        failing, warning = self._beyond(value, z, self.fail), self._beyond(value, z, self.warn)
        if failing:
            return "fail"
        if failing is None or warning is None:
            return None
        return "warn" if warning else "ok"

    @property
    def uses_z(self) -> bool:
        """Whether a cut-off that holds is a robust z."""
        return isinstance(self.warn, Z) or isinstance(self.fail, Z)

    def _beyond(self, value: float, z: float | None, limit: Limit) -> bool | None:
        if limit is None:
            return False
        if isinstance(limit, Z):
            if z is None:
                return None
            value, limit = z, limit.value
        return value > limit if self.worse == "higher" else value < limit


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of cut-offs.

    Attributes:
        places: where the metrics are looked for, in order, each as keys from a root name: `("file", "info", "IQM")`.
        metrics: metric → cut-offs.
        per_project: globs of `group/label` with the cut-offs that differ there; later ones win.
    """

    name: str
    places: tuple[Path, ...]
    metrics: Mapping[str, Cut]
    per_project: tuple[tuple[Globs, Mapping[str, Mapping[str, Limit]]], ...] = field(default=())

    @property
    def reads(self) -> frozenset[Path]:
        """Paths that `qc` reads for this profile."""
        project = {("project", "group"), ("project", "label")} if self.per_project else set()
        common = {path if len(path) > 1 else (*path, "id") for cut in self.metrics.values() for path in cut.within}
        return frozenset({*self.places, *project, *common})

    @property
    def peered(self) -> Mapping[str, Cut]:
        """The metrics that are compared with peers, in some project at least."""
        return {metric: cut for metric, cut in self.metrics.items() if cut.within}

    def at(self, project: str) -> Mapping[str, Cut]:
        """The cut-offs in one project, named as `group/label`."""
        cuts = dict(self.metrics)
        for globs, changes in self.per_project:
            if globs.match(project):
                for metric, change in changes.items():
                    cut = cuts[metric]
                    warn, fail = change.get("warn", cut.warn), change.get("fail", cut.fail)
                    cuts[metric] = replace(cut, warn=warn, fail=fail)
        return cuts

    def value(self, metric: str, names: Mapping[str, Any]) -> float | None:
        """A metric's usable value in a document, as `judge` reads it; for the peers' statistics."""
        value, _ = _read(metric, self.places, names)
        return None if isinstance(value, Unknown) else float(value)


class Qc:
    """The function `qc` of the expressions, for `Context.functions`. See `judge` for what it gives.

    Args:
        profiles: name → profile.
        peers: the frozen statistics of one site.
    """

    def __init__(self, profiles: Mapping[str, Profile], peers: PeerTable = NO_PEERS) -> None:
        self.profiles = profiles
        self.peers = peers

    def __call__(self, names: Mapping[str, Any], profile: Any) -> Any:
        """What the profile makes of the names in force."""
        found = self.profiles.get(profile) if isinstance(profile, str) else None
        if found is None:
            return Unknown(f"there is no profile {profile!r}", "unusable")
        return judge(found, names, self.peers)

    def with_peers(self, peers: PeerTable) -> Qc:
        """The same profiles among other peers."""
        return Qc(self.profiles, peers)


def qc_function(profiles: Mapping[str, Profile], peers: PeerTable = NO_PEERS) -> Qc:
    """The function `qc` over some profiles."""
    return Qc(profiles, peers)


def judge(profile: Profile, names: Mapping[str, Any], peers: PeerTable = NO_PEERS) -> dict[str, Any] | Unknown:
    """Holds the document against a profile.

    Args:
        profile: the cut-offs.
        names: root names to JSON values.
        peers: the site's frozen statistics, for cut-offs that are a robust z.

    Returns:
        `level`: `fail` if some metric fails; else None (unknown) if some metric has no usable value, or too few peers;
        else `warn` or `ok`. `fail`, `warn`: names of the metrics beyond each cut-off (one that fails is not listed
        under `warn`); None when empty only for want of values. `unknown`: metrics whose level is not known. `metrics`:
        metric → `{value, level, from, warn, fail, worse}`, with a robust z also `{z, n, median, mad, date, note}`.
        All unknown when a place could not be looked at.
    """
    cuts = profile.metrics
    if profile.per_project:
        project = _project(names)
        if isinstance(project, Unknown):
            return project
        cuts = profile.at(project)
    metrics: dict[str, Any] = {}
    for metric, cut in cuts.items():
        value, place = _read(metric, profile.places, names)
        if isinstance(value, Unknown) and value.nature == "withheld":
            return value
        number = None if isinstance(value, Unknown) else value
        written = {"from": place, "warn": _written(cut.warn), "fail": _written(cut.fail), "worse": cut.worse}
        if not cut.uses_z:
            level = None if number is None else cut.judge(number)
            metrics[metric] = {"value": number, "level": level, **written}
            continue
        z, among = _among(profile.name, metric, number, cut, names, peers)
        level = None if number is None else cut.judge(number, z)
        metrics[metric] = {"value": number, "level": level, "z": None if z is None else round(z, 3), **among, **written}
    failing = [name for name, entry in metrics.items() if entry["level"] == "fail"]
    warning = [name for name, entry in metrics.items() if entry["level"] == "warn"]
    unknown = [name for name, entry in metrics.items() if entry["level"] is None]
    level = "fail" if failing else None if unknown else "warn" if warning else "ok"
    return {
        "level": level,
        "fail": failing if failing or not unknown else None,
        "warn": warning if warning or not unknown else None,
        "unknown": unknown,
        "metrics": metrics,
    }


def _written(limit: Limit) -> float | str | None:
    return str(limit) if isinstance(limit, Z) else limit


def _among(
    profile: str, metric: str, value: float | None, cut: Cut, names: Mapping[str, Any], peers: PeerTable
) -> tuple[float | None, dict[str, Any]]:
    """The z of a value among its peers, and what the explanation says of these; the note says why there is no z."""
    group = group_of(cut.within, names)
    found = None if isinstance(group, Unknown) else peers.get((profile, metric, group))
    note = ""
    z = None
    if isinstance(group, Unknown):
        note = f"no peers: {group.reason}"
    elif found is None:
        note = f"no peer statistics; {cut.min_n} peers are needed"
    elif found.n < cut.min_n:
        note = f"too few peers: {found.n}, {cut.min_n} are needed"
    elif value is not None:
        z = found.z(value)
        note = "" if z is not None else "the peers do not differ (MAD 0)"
    return z, {**_shown(found), "note": note}


def _shown(found: Peers | None) -> dict[str, Any]:
    if found is None:
        return {"n": 0, "median": None, "mad": None, "date": None}
    return {"n": found.n, "median": found.median, "mad": found.mad, "date": found.date}


def _project(names: Mapping[str, Any]) -> str | Unknown:
    project = names.get("project")
    if isinstance(project, Unknown):
        return project
    label = project.get("label") if isinstance(project, Mapping) else None
    parents = project.get("parents") if isinstance(project, Mapping) else None
    group = project.get("group") if isinstance(project, Mapping) else None
    if not isinstance(group, str):
        group = parents.get("group") if isinstance(parents, Mapping) else None
    if not isinstance(label, str) or not isinstance(group, str):
        return Unknown("the project is not known, so its own cut-offs are not either", "withheld")
    return f"{group}/{label}"


def _read(metric: str, places: tuple[Path, ...], names: Mapping[str, Any]) -> tuple[float | int | Unknown, str | None]:
    """A metric's value and the place that has it. Null, NaN and sentinels count as not there."""
    for place in places:
        value: Any = names
        for key in (*place, metric):
            value = value.get(key) if isinstance(value, Mapping) else None
            if is_unknown(value):
                return value, ".".join(place)
        if value is None or (isinstance(value, float) and not math.isfinite(value)) or SENTINELS.get(metric) == value:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return Unknown(f"{'.'.join((*place, metric))} is no number", "unusable"), ".".join(place)
        return value, ".".join(place)
    return Unknown(f"{metric} is missing", "absent"), None
