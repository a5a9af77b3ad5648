"""`qc`: MRIQC's metrics scan by scan, how they are spread and how they move, by scanner; outliers are marked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from flyball.reports.cells import Cell
from flyball.reports.content import Content, Entry, Fact, Figure, Point, Table, Tone, Trend
from flyball.reports.qc_judging import Judged, judge, short
from flyball.reports.qc_rows import BOLD, Scan, scans_of
from flyball.reports.rows import Project, counted, label_of
from flyball.reports.statistics import summary
from flyball.rules.profiles import Cut

_FIRST: Final = ("fd_mean", "tsnr", "snr", "dvars_std", "snr_total", "cjv", "cnr", "efc")
"""The metrics that are plotted and stand first; the rest follow by name."""
_COLUMNS: Final = (
    *("subject", "session", "acquisition", "file", "type", "scanner", "scanned", "level", "why", "reports"),
)
_UNITS: Final = {"fd_mean": "mm", "fd_perc": "%", "spacing_tr": "s", "inu_range": ""}
_TONES: Final[Mapping[str | None, Tone]] = {"fail": "bad", "warn": "warn"}
_WORDS: Final = {"fail": "fails", "warn": "outlier", "ok": "ok"}
_RANK: Final = {"fail": 0, "warn": 1}

Judgement = Mapping[str, Judged]


def qc(project: Project, path: str, cuts: Mapping[str, Cut], *, links: str = "") -> Content:
    """The report.

    Args:
        project: with subjects, sessions, acquisitions and files.
        path: `group/label`.
        cuts: the profile's cut-offs in this project, by metric; empty: only the peers are asked.
        links: address of a session on the site's pages, with `{session}` in it; empty: no links.
    """
    scans, bare = scans_of(project)
    judged = judge(scans, cuts)
    present = {metric for scan in scans for metric in scan.metrics}
    metrics = [*(one for one in _FIRST if one in present), *sorted(present - set(_FIRST))]
    levels = [_level(one) for one in judged]
    marked = [(scan, one, level) for scan, one, level in zip(scans, judged, levels, strict=True) if level in _RANK]
    doubled = [scan for scan in scans if scan.reports > 1]
    empty = [scan for scan in scans if not scan.metrics]
    return Content(
        title="Quality control",
        subtitle=path,
        columns=(*_COLUMNS, *metrics, "link", "project"),
        rows=[
            _row(scan, one, level, metrics, links, path) for scan, one, level in zip(scans, judged, levels, strict=True)
        ],
        facts=_facts(scans, levels, bare_count=len(bare), empty=len(empty)),
        notes=_notes(project, scans, doubled, empty, cuts),
        figures=_figures(scans, judged, cuts),
        tables=[
            *_marked(marked, links),
            *_scanners(scans, judged),
            *_scans(scans, judged, levels, links),
            *_doubled(doubled),
            *_without(project, bare, empty),
        ],
        numbers={
            "scans": len(scans),
            "fail": levels.count("fail"),
            "outliers": levels.count("warn"),
            "several_reports": len(doubled),
            "without_metrics": len(empty),
            "acquisitions_without_report": len(bare),
            "metrics": {metric: _numbers(scans, metric) for metric in metrics},
        },
    )


def _level(judgement: Judgement) -> str | None:
    """A scan's level: its worst metric's; None where nothing could be said of any."""
    levels = {one.level for one in judgement.values()}
    return next((level for level in ("fail", "warn", "ok") if level in levels), None)


def _why(judgement: Judgement) -> str:
    return "; ".join(one.why for one in judgement.values() if one.why)


def _numbers(scans: Sequence[Scan], metric: str) -> dict[str, float | int | None]:
    found = summary([scan.metrics[metric] for scan in scans if metric in scan.metrics])
    return {
        "n": found.n,
        "mean": found.mean,
        "sd": found.sd,
        "median": found.median,
        "min": found.low,
        "max": found.high,
    }


def _row(
    scan: Scan, judgement: Judgement, level: str | None, metrics: Sequence[str], links: str, path: str
) -> list[Cell]:
    values = [scan.metrics.get(metric) for metric in metrics]
    head: list[Cell] = [
        scan.subject,
        scan.session,
        scan.acquisition,
        scan.file,
        scan.kind,
        scan.scanner,
        day(scan.time),
    ]
    said: list[Cell] = [_WORDS.get(level or "", ""), _why(judgement), scan.reports]
    return [*head, *said, *values, _link(links, scan), path]


def _link(links: str, scan: Scan) -> str:
    return links.replace("{session}", scan.ids["session"]) if links else ""


def _facts(scans: Sequence[Scan], levels: Sequence[str | None], *, bare_count: int, empty: int) -> list[Fact]:
    facts = [Fact("scans with a report", f"{len(scans):,}")]
    facts += [
        Fact(f"{kind} scans", f"{sum(scan.kind == kind for scan in scans):,}")
        for kind in sorted({scan.kind for scan in scans})
    ]
    fails, warns = levels.count("fail"), levels.count("warn")
    facts.append(Fact("beyond a fail limit", f"{fails:,}", "bad" if fails else ""))
    facts.append(Fact("outliers", f"{warns:,}", "warn" if warns else "good" if scans else ""))
    if empty:
        facts.append(Fact("reports without a metric", f"{empty:,}", "warn"))
    facts.append(Fact("acquisitions without a report", f"{bare_count:,}"))
    return facts


def _notes(
    project: Project, scans: Sequence[Scan], doubled: Sequence[Scan], empty: Sequence[Scan], cuts: Mapping[str, Cut]
) -> list[str]:
    notes = []
    if not project.sessions:
        notes.append("The project has no sessions.")
    elif not scans:
        notes.append("No file with MRIQC's metrics was found: neither a report (mriqc in its name) nor info.IQM.")
    if doubled:
        several = counted(len(doubled), "scan has", "scans have")
        notes.append(f"{several} more than one report: the newest is used, the others are left out.")
    if empty:
        notes.append(
            f"{counted(len(empty), 'report')} without one usable metric (missing, null, no number, a sentinel)."
        )
    if cuts:
        said = ", ".join(f"{metric} {_cut(cut)}" for metric, cut in cuts.items())
        notes.append(f"Cut-offs of the profile: {said}.")
    if scans:
        notes.append(
            "Without a cut-off, an outlier lies more than 3 robust standard deviations on the bad side of its peers "
            "(same kind, scanner and label; at least 20 of them). It is a hint to look, not a reason to exclude."
        )
    return notes


def _cut(cut: Cut) -> str:
    sign = ">" if cut.worse == "higher" else "<"
    limits = [
        f"{word} {sign} {limit}" for word, limit in (("warns", cut.warn), ("fails", cut.fail)) if limit is not None
    ]
    return " and ".join(limits)


def _figures(scans: Sequence[Scan], judged: Sequence[Judgement], cuts: Mapping[str, Cut]) -> list[Figure]:
    figures: list[Figure] = []
    for kind in sorted({scan.kind for scan in scans}, key=lambda kind: (kind != BOLD, kind)):
        for metric in _FIRST:
            points = [
                Point(scan.metrics[metric], scan.time, scan.scanner, _TONES.get(one[metric].level, ""))
                for scan, one in zip(scans, judged, strict=True)
                if scan.kind == kind and metric in scan.metrics
            ]
            if points:
                figures.append(_figure(kind, metric, points, cuts.get(metric)))
    return figures


def _figure(kind: str, metric: str, points: Sequence[Point], cut: Cut | None) -> Figure:
    lines = {}
    if cut is not None:
        named_limits = (("warn", cut.warn), ("fail", cut.fail))
        lines = {word: float(limit) for word, limit in named_limits if isinstance(limit, (int, float))}
    found = summary([point.value for point in points])
    marked = sum(bool(point.tone) for point in points)
    undated = sum(point.time is None for point in points)
    unit = f", {_UNITS[metric]}" if _UNITS.get(metric) else ""
    alt = (
        f"{metric} of {counted(found.n, f'{kind} scan')} over time with its distribution: "
        f"median {short(found.median)}, from {short(found.low)} to {short(found.high)}, {marked} marked."
    )
    note = f"{counted(undated, 'scan')} without a date: in the distribution only." if undated else ""
    return Figure(f"{kind}: {metric}", alt, Trend(points, f"{metric}{unit}", lines), note)


def _marked(marked: Sequence[tuple[Scan, Judgement, str | None]], links: str) -> list[Table]:
    if not marked:
        return []
    worst = sorted(marked, key=lambda one: _RANK[one[2] or ""])
    rows: list[list[Cell | Entry]] = [
        [
            scan.subject,
            scan.session,
            Entry(scan.acquisition, link=_link(links, scan)),
            scan.kind,
            Entry(_WORDS[level or ""], _TONES[level]),
            _why(judgement),
        ]
        for scan, judgement, level in worst
    ]
    return [Table("Marked scans", ("subject", "session", "acquisition", "type", "level", "why"), rows)]


def _scanners(scans: Sequence[Scan], judged: Sequence[Judgement]) -> list[Table]:
    rows: list[list[Cell | Entry]] = []
    groups: dict[tuple[str, str], list[tuple[Scan, Judgement]]] = {}
    for scan, one in zip(scans, judged, strict=True):
        groups.setdefault((scan.kind, scan.scanner), []).append((scan, one))
    for (kind, scanner), mine in sorted(groups.items()):
        for metric in _FIRST:
            values = [scan.metrics[metric] for scan, _ in mine if metric in scan.metrics]
            if not values:
                continue
            found = summary(values)
            marked = sum(metric in one and one[metric].level in _RANK for _, one in mine)
            middle = f"{short(found.q1)} to {short(found.q3)}"
            sides = f"{short(found.low)} to {short(found.high)}"
            row = [kind, scanner, metric, found.n, short(found.median), middle, sides]
            rows.append([*row, Entry(marked, "warn" if marked else "")])
    if not rows:
        return []
    columns = ("type", "scanner", "metric", "n", "median", "middle half", "range", "marked")
    return [Table("By scanner", columns, rows)]


def _scans(scans: Sequence[Scan], judged: Sequence[Judgement], levels: Sequence[str | None], links: str) -> list[Table]:
    tables = []
    for kind in sorted({scan.kind for scan in scans}, key=lambda kind: (kind != BOLD, kind)):
        chosen = [
            (scan, one, level)
            for scan, one, level in zip(scans, judged, levels, strict=True)
            if scan.kind == kind and scan.metrics
        ]
        metrics = [metric for metric in _FIRST if any(metric in scan.metrics for scan, _, _ in chosen)]
        rows: list[list[Cell | Entry]] = []
        for scan, one, level in sorted(chosen, key=lambda item: _RANK.get(item[2] or "", 2)):
            values = [
                Entry(short(one[metric].value), _TONES.get(one[metric].level, "")) if metric in one else Entry("")
                for metric in metrics
            ]
            rows.append(
                [
                    scan.subject,
                    scan.session,
                    Entry(scan.acquisition, link=_link(links, scan)),
                    Entry(_WORDS.get(level or "", ""), _TONES.get(level, "")),
                    *values,
                ]
            )
        if rows:
            tables.append(Table(f"{kind} scans", ("subject", "session", "acquisition", "level", *metrics), rows))
    return tables


def _doubled(doubled: Sequence[Scan]) -> list[Table]:
    if not doubled:
        return []
    rows: list[list[Cell]] = [
        [scan.subject, scan.session, scan.acquisition, scan.reports, scan.file] for scan in doubled
    ]
    return [Table("Scans with several reports", ("subject", "session", "acquisition", "reports", "newest, used"), rows)]


def _without(project: Project, bare: Sequence[Mapping[str, object]], empty: Sequence[Scan]) -> list[Table]:
    rows: list[list[Cell | Entry]] = [
        [scan.subject, scan.session, scan.acquisition, "report without a usable metric"] for scan in empty
    ]
    rows += [[*project.names(row), label_of(row), "no report"] for row in bare]
    if not rows:
        return []
    return [Table("Acquisitions without metrics", ("subject", "session", "acquisition", "what"), rows)]


def day(time: float | None) -> str:
    """A scan's day, UTC; empty when it is not known or beyond the calendar."""
    if time is None:
        return ""
    try:
        return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d")
    except (OverflowError, ValueError, OSError):
        return ""
