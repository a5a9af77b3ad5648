"""The scans of a `qc` report: one for each acquisition and kind of image, with its newest metrics. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from flyball.model.levels import Level
from flyball.reports.rows import Project, Row, label_of, natural

BOLD: Final = "BOLD"
_BY_MEASUREMENT: Final = (("T2*", BOLD), ("T1", "T1w"), ("T2", "T2w"), ("Diffusion", "DWI"))
_OF_BOLD: Final = frozenset({"fd_mean", "fd_num", "fd_perc", "tsnr", "snr", "dvars_std", "dvars_nstd", "dvars_vstd"})
_OF_ANATOMY: Final = frozenset({"snr_total", "snrd_total", "cnr", "cjv", "qi_1", "wm2max", "inu_med"})
NO_SCANNER: Final = "scanner not told"


@dataclass(frozen=True, slots=True)
class Scan:
    """One scan with its metrics.

    Attributes:
        kind: `BOLD`, `T1w`, `T2w`, …
        time: when it was taken, seconds since 1970: the acquisition's time, else the session's; None: not known.
        reports: how many reports it has; the newest counts.
        file: name of the one that counts.
        ids: `session` and `acquisition`, for the link.
    """

    subject: str
    session: str
    acquisition: str
    kind: str
    scanner: str
    time: float | None
    file: str
    reports: int
    metrics: Mapping[str, float]
    ids: Mapping[str, str]


def kind_of(measurement: Iterable[str], metrics: Mapping[str, float]) -> str:
    """What kind of image a report is about: its classification says, else the metrics that it has."""
    said = set(measurement)
    for word, kind in _BY_MEASUREMENT:
        if word in said:
            return kind
    if not _OF_BOLD.isdisjoint(metrics):
        return BOLD
    return "anatomical" if not _OF_ANATOMY.isdisjoint(metrics) else "other"


def scans_of(project: Project) -> tuple[list[Scan], list[Row]]:
    """The scans that have a report, in order of labels; and the acquisitions that have none."""
    acquisitions: dict[str, Row] = {}
    reports: dict[str, dict[str, list[Row]]] = {}
    scanners: dict[str, tuple[float, str]] = {}
    for row in project.lower:
        if row["level"] == Level.ACQUISITION:
            acquisitions[row["id"]] = row
            continue
        ident = row["up"].get("acquisition", "")
        if row["scanner"] is not None:
            at = (row.get("changed") or 0.0, row["scanner"])
            scanners[ident] = max(scanners.get(ident, at), at)
        if row["report"]:
            kind = kind_of(row["measurement"], row["metrics"])
            reports.setdefault(ident, {}).setdefault(kind, []).append(row)
    scans: list[Scan] = []
    for ident, kinds in reports.items():
        acquisition = acquisitions.get(ident)
        if acquisition is None:
            continue
        scans += [
            _scan(project, acquisition, kind, some, scanners.get(ident, (0.0, NO_SCANNER))[1])
            for kind, some in kinds.items()
        ]
    scans.sort(key=_order)
    bare = sorted((row for row in acquisitions.values() if row["id"] not in reports), key=_label)
    return scans, bare


def _scan(project: Project, acquisition: Row, kind: str, reports: list[Row], scanner: str) -> Scan:
    newest = max(reports, key=lambda row: (row.get("changed") or 0.0, row.get("created") or 0.0, str(row["id"])))
    subject, session = project.names(acquisition)
    visit = project.sessions.get(acquisition["up"].get("session", ""))
    time: Any = acquisition.get("time")
    if time is None and visit is not None:
        time = visit.get("time")
    return Scan(
        subject=subject,
        session=session,
        acquisition=str(acquisition["label"]),
        kind=kind,
        scanner=scanner,
        time=time,
        file=str(newest["label"]),
        reports=len(reports),
        metrics=newest["metrics"],
        ids={"session": acquisition["up"].get("session", ""), "acquisition": acquisition["id"]},
    )


def _order(scan: Scan) -> tuple[Any, ...]:
    names = (scan.subject, scan.session, scan.acquisition)
    return (*((natural(name), name) for name in names), scan.kind, scan.ids["acquisition"])


def _label(row: Row) -> tuple[Any, ...]:
    return (natural(label_of(row)), str(row["id"]))
