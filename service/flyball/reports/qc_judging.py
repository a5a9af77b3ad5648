"""Which values of a `qc` report are outliers: by the profile's cut-offs, and among the peers. Pure.

Without a cut-off, a value is marked when it lies more than three robust standard deviations on its metric's bad side,
among the scans of one kind, scanner and label, or, where these are too few, of one kind and scanner. With fewer than 20
peers nothing is said: there is no rule of thumb for MRIQC's metrics (nipreps/mriqc#1144).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flyball.reports.qc_rows import Scan
from flyball.rules.peers import Peers, statistics
from flyball.rules.profiles import MIN_N, WORSE, Cut, Z

FAR: Final = 3.0  # robust standard deviations
Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """What is wrong with one value: `warn` or `fail`, and why, for people."""

    level: str
    why: str


@dataclass(frozen=True, slots=True)
class Judged:
    """What is said of one scan.

    Attributes:
        level: of its worst metric: `ok`, `warn`, `fail`; None: there was nothing to hold any of them against.
        marks: the metrics that are beyond something.
    """

    level: str | None
    marks: Mapping[str, Mark]


NOTHING: Final = Judged(None, {})
FINE: Final = Judged("ok", {})


def cut_json(cuts: Mapping[str, Cut]) -> dict[str, Any]:
    """Cut-offs as JSON, for the parameters of an effect."""
    return {
        metric: {"worse": cut.worse, "warn": _written(cut.warn), "fail": _written(cut.fail)}
        for metric, cut in cuts.items()
    }


def cuts_from(json: Mapping[str, Any]) -> dict[str, Cut]:
    """Cut-offs from JSON."""
    return {metric: Cut(one["worse"], _read(one["warn"]), _read(one["fail"])) for metric, one in json.items()}


def _written(limit: Any) -> Any:
    return str(limit) if isinstance(limit, Z) else limit


def _read(limit: Any) -> Any:
    return Z(float(limit.removeprefix("z"))) if isinstance(limit, str) else limit


def judge(scans: Sequence[Scan], cuts: Mapping[str, Cut]) -> list[Judged]:
    """What is said of each scan, in order."""
    around = {group: _Among([scans[place] for place in places]) for group, places in _groups(scans, wide=True).items()}
    found = [NOTHING] * len(scans)
    for group, places in _groups(scans, wide=False).items():
        near = _Among([scans[place] for place in places], around[group[:2]])
        for place in places:
            found[place] = _scan(scans[place], cuts, near)
    return found


class _Among:
    """Some scans that are held against each other, metric by metric as one is asked for.

    Args:
        scans: of one group.
        around: the larger group, for metrics of which these have too few values.
    """

    def __init__(self, scans: Sequence[Scan], around: _Among | None = None) -> None:
        self._scans = scans
        self._around = around
        self._known: dict[str, Peers | None] = {}

    def peers(self, metric: str) -> Peers | None:
        """The spread of a metric's values; None where there are too few."""
        if metric not in self._known:
            values = [scan.metrics[metric] for scan in self._scans if metric in scan.metrics]
            if len(values) >= MIN_N:
                self._known[metric] = statistics(values, "")
            else:
                self._known[metric] = None if self._around is None else self._around.peers(metric)
        return self._known[metric]


def _scan(scan: Scan, cuts: Mapping[str, Cut], among: _Among) -> Judged:
    marks: dict[str, Mark] = {}
    known = False
    for metric, value in scan.metrics.items():
        mark, said = _metric(metric, value, cuts.get(metric), among.peers(metric))
        known = known or said
        if mark is not None:
            marks[metric] = mark
    if not marks:
        return FINE if known else NOTHING
    return Judged("fail" if any(mark.level == "fail" for mark in marks.values()) else "warn", marks)


def _metric(metric: str, value: float, cut: Cut | None, peers: Peers | None) -> tuple[Mark | None, bool]:
    """What is wrong with a value, and whether anything could be said of it."""
    z = None if peers is None else peers.z(value)
    worse = cut.worse if cut is not None else WORSE.get(metric)
    if cut is not None:
        level = cut.judge(value, z)
        if level in ("warn", "fail"):
            limit = cut.fail if level == "fail" else cut.warn
            return Mark(level, f"{metric} {short(value)} {'>' if worse == 'higher' else '<'} {limit}"), True
        return None, level is not None
    if z is None:
        return None, False
    bad = z if worse == "higher" else -z if worse == "lower" else abs(z)
    return (Mark("warn", f"{metric} {short(value)}, z {z:+.1f}") if bad > FAR else None), True


def _groups(scans: Sequence[Scan], *, wide: bool) -> dict[Group, list[int]]:
    """The places of the scans of each group: of one kind and scanner, and, unless `wide`, of one label."""
    found: dict[Group, list[int]] = {}
    for place, scan in enumerate(scans):
        group = (scan.kind, scan.scanner) if wide else (scan.kind, scan.scanner, scan.acquisition)
        found.setdefault(group, []).append(place)
    return found


def short(value: float | None) -> str:
    """A measurement for people: four significant digits."""
    return "" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"
