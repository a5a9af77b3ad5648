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
    narrow, wide = _peers(scans, narrow=True), _peers(scans, narrow=False)
    return [_scan(scan, cuts, narrow, wide) for scan in scans]


def _scan(scan: Scan, cuts: Mapping[str, Cut], narrow: Mapping[Group, Peers], wide: Mapping[Group, Peers]) -> Judged:
    marks: dict[str, Mark] = {}
    known = False
    own, around = _group(scan, narrow=True), _group(scan, narrow=False)
    for metric, value in scan.metrics.items():
        peers = narrow.get((metric, *own)) or wide.get((metric, *around))
        mark, said = _metric(metric, value, cuts.get(metric), peers)
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
