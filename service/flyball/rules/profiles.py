"""QC profiles: named cut-offs, and `qc(profile)`, which holds a document against one. Pure.

A cut-off is absolute, with a direction that belongs to the metric (a higher `tsnr` is never worse). MRIQC writes its
metrics to different places (`file.info` in the older gear, `file.info.IQM` in the newer), so a profile names places and
the first that has a metric counts; the result says which it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from flyball.rules.expression import Unknown, is_unknown
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
class Cut:
    """One metric's cut-offs: beyond `fail` it fails, else beyond `warn` it warns; None: no such cut-off."""

    worse: Worse
    warn: float | None = None
    fail: float | None = None

    def judge(self, value: float) -> str:
        """`ok`, `warn` or `fail`. A value on the cut-off is still on the good side."""
        if self.fail is not None and self._beyond(value, self.fail):
            return "fail"
        return "warn" if self.warn is not None and self._beyond(value, self.warn) else "ok"

    def _beyond(self, value: float, limit: float) -> bool:
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
    places: tuple[tuple[str, ...], ...]
    metrics: Mapping[str, Cut]
    per_project: tuple[tuple[Globs, Mapping[str, Mapping[str, float | None]]], ...] = field(default=())

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Paths that `qc` reads for this profile."""
        project = {("project", "group"), ("project", "label")} if self.per_project else set()
        return frozenset({*self.places, *project})

    def at(self, project: str) -> Mapping[str, Cut]:
        """The cut-offs in one project, named as `group/label`."""
        cuts = dict(self.metrics)
        for globs, changes in self.per_project:
            if globs.match(project):
                for metric, change in changes.items():
                    cut = cuts[metric]
                    cuts[metric] = Cut(cut.worse, change.get("warn", cut.warn), change.get("fail", cut.fail))
        return cuts


def qc_function(profiles: Mapping[str, Profile]) -> Callable[..., Any]:
    """The function `qc` of the expressions, for `Context.functions`. See `judge` for what it gives."""

    def qc(names: Mapping[str, Any], profile: Any) -> Any:
        found = profiles.get(profile) if isinstance(profile, str) else None
        if found is None:
            return Unknown(f"there is no profile {profile!r}", "unusable")
        return judge(found, names)

    return qc


def judge(profile: Profile, names: Mapping[str, Any]) -> dict[str, Any] | Unknown:
    """Holds the document against a profile.

    Args:
        profile: the cut-offs.
        names: root names to JSON values.

    Returns:
        `level`: `fail` if some metric fails; else None (unknown) if some metric has no usable value; else `warn` or
        `ok`. `fail`, `warn`: names of the metrics beyond each cut-off (one that fails is not listed under `warn`); None
        when empty only for want of values. `unknown`: metrics without a usable value. `metrics`: metric → `{value,
        level, from, warn, fail, worse}`. All unknown when a place could not be looked at.
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
        metrics[metric] = {
            "value": None if isinstance(value, Unknown) else value,
            "level": None if isinstance(value, Unknown) else cut.judge(value),
            "from": place,
            "warn": cut.warn,
            "fail": cut.fail,
            "worse": cut.worse,
        }
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


def _read(
    metric: str, places: tuple[tuple[str, ...], ...], names: Mapping[str, Any]
) -> tuple[float | int | Unknown, str | None]:
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
