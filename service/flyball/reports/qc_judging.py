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
class Judged:
    """What is said of one value.

    Attributes:
        level: `ok`, `warn`, `fail`; None: there is nothing to hold it against.
        z: among its peers, None where there are too few.
        why: for people; empty when it is not marked.
    """

    value: float
    level: str | None
    z: float | None
    why: str


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


def judge(scans: Sequence[Scan], cuts: Mapping[str, Cut]) -> list[dict[str, Judged]]:
    """What is said of each scan's metrics, in order."""
    narrow, wide = _peers(scans, narrow=True), _peers(scans, narrow=False)
    found: list[dict[str, Judged]] = []
    for scan in scans:
        mine = {}
        for metric, value in scan.metrics.items():
            peers = narrow.get((metric, *_group(scan, narrow=True))) or wide.get((metric, *_group(scan, narrow=False)))
            mine[metric] = _judged(metric, value, cuts.get(metric), peers)
        found.append(mine)
    return found


def _judged(metric: str, value: float, cut: Cut | None, peers: Peers | None) -> Judged:
    z = None if peers is None else peers.z(value)
    worse = cut.worse if cut is not None else WORSE.get(metric)
    if cut is not None:
        level = cut.judge(value, z)
        if level in ("warn", "fail"):
            limit = cut.fail if level == "fail" else cut.warn
            return Judged(value, level, z, f"{metric} {short(value)} {'>' if worse == 'higher' else '<'} {limit}")
        if cut.uses_z or level is not None:
            return Judged(value, level, z, "")
    if z is None:
        return Judged(value, None, None, "")
    bad = z if worse == "higher" else -z if worse == "lower" else abs(z)
    if bad > FAR:
        return Judged(value, "warn", z, f"{metric} {short(value)}, z {z:+.1f}")
    return Judged(value, "ok", z, "")


def _peers(scans: Sequence[Scan], *, narrow: bool) -> dict[Group, Peers]:
    values: dict[Group, list[float]] = {}
    for scan in scans:
        group = _group(scan, narrow=narrow)
        for metric, value in scan.metrics.items():
            values.setdefault((metric, *group), []).append(value)
    return {key: statistics(some, "") for key, some in values.items() if len(some) >= MIN_N}


def _group(scan: Scan, *, narrow: bool) -> Group:
    return (scan.kind, scan.scanner, scan.acquisition) if narrow else (scan.kind, scan.scanner)


def short(value: float | None) -> str:
    """A measurement for people: four significant digits."""
    return "" if value is None else f"{value:.4g}" if abs(value) < 1e5 else f"{value:.3e}"
