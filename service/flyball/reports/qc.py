"""`qc`: MRIQC's metrics scan by scan, how they are spread and how they move, by scanner; outliers are marked. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from flyball.reports.cells import Cell
from flyball.reports.content import MOST_ROWS, Content, Entry, Fact, Figure, Point, Table, Tone, Trend
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
Pair = tuple[Scan, Judged]
_RANK: Final = {"fail": 0, "warn": 1}


def qc(project: Project, path: str, cuts: Mapping[str, Cut], *, links: str = "") -> Content:
    """The report.

    Args:
        project: with subjects, sessions, acquisitions and files.
        path: `group/label`.
        cuts: the profile's cut-offs in this project, by metric; empty: only the peers are asked.
        links: address of a session on the site's pages, with `{session}` in it; empty: no links.
    """
    scans, bare = scans_of(project)
    pairs = list(zip(scans, judge(scans, cuts), strict=True))
    values: dict[str, list[float]] = {}
    for scan in scans:
        for metric, value in scan.metrics.items():
            values.setdefault(metric, []).append(value)
    metrics = [*(one for one in _FIRST if one in values), *sorted(values.keys() - set(_FIRST))]
    levels = [judged.level for _, judged in pairs]
    doubled = [scan for scan in scans if scan.reports > 1]
    empty = [scan for scan in scans if not scan.metrics]
    return Content(
        title="Quality control",
        subtitle=path,
        columns=(*_COLUMNS, *metrics, "link", "project"),
        rows=[_row(scan, judged, metrics, links, path) for scan, judged in pairs],
        facts=_facts(scans, levels, bare_count=len(bare), empty=len(empty)),
        notes=_notes(project, scans, doubled, empty, cuts),
        figures=_figures(pairs, cuts),
        tables=[
            *_marked(pairs, links),
            *_scanners(pairs),
            *_scans(pairs, links),
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
            "metrics": {metric: _numbers(values[metric]) for metric in metrics},
        },
    )


def _why(judged: Judged) -> str:
    return "; ".join(mark.why for mark in judged.marks.values())


def _tone(judged: Judged, metric: str) -> Tone:
    mark = judged.marks.get(metric)
    return "" if mark is None else _TONES[mark.level]


def _numbers(values: Sequence[float]) -> dict[str, float | int | None]:
    found = summary(values)
    return {
        "n": found.n,
        "mean": found.mean,
        "sd": found.sd,
        "median": found.median,
        "min": found.low,
        "max": found.high,
    }


def _row(scan: Scan, judged: Judged, metrics: Sequence[str], links: str, path: str) -> list[Cell]:
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
    said: list[Cell] = [_WORDS.get(judged.level or "", ""), _why(judged), scan.reports]
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


def _figures(pairs: Sequence[Pair], cuts: Mapping[str, Cut]) -> list[Figure]:
    figures: list[Figure] = []
    for kind in _kinds(pairs):
        mine = [pair for pair in pairs if pair[0].kind == kind]
        for metric in _FIRST:
            points = [
                Point(scan.metrics[metric], scan.time, scan.scanner, _tone(judged, metric) if judged.marks else "")
                for scan, judged in mine
                if metric in scan.metrics
            ]
            if points:
                figures.append(_figure(kind, metric, points, cuts.get(metric)))
    return figures


def _kinds(pairs: Sequence[Pair]) -> list[str]:
    return sorted({scan.kind for scan, _ in pairs}, key=lambda kind: (kind != BOLD, kind))


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


def _marked(pairs: Sequence[Pair], links: str) -> list[Table]:
    marked = [(scan, judged) for scan, judged in pairs if judged.marks]
    if not marked:
        return []
    rows: list[list[Cell | Entry]] = [
        [
            scan.subject,
            scan.session,
            Entry(scan.acquisition, link=_link(links, scan)),
            scan.kind,
            _level(judged),
            _why(judged),
        ]
        for scan, judged in sorted(marked, key=_rank)
    ]
    return [Table("Marked scans", ("subject", "session", "acquisition", "type", "level", "why"), rows)]


def _rank(pair: Pair) -> int:
    return _RANK.get(pair[1].level or "", 2)


def _level(judged: Judged) -> Entry:
    return Entry(_WORDS.get(judged.level or "", ""), _TONES.get(judged.level, ""))


def _scanners(pairs: Sequence[Pair]) -> list[Table]:
    rows: list[list[Cell | Entry]] = []
    groups: dict[tuple[str, str], list[Pair]] = {}
    for scan, judged in pairs:
        groups.setdefault((scan.kind, scan.scanner), []).append((scan, judged))
    for (kind, scanner), mine in sorted(groups.items()):
        for metric in _FIRST:
            values = [scan.metrics[metric] for scan, _ in mine if metric in scan.metrics]
            if not values:
                continue
            found = summary(values)
            marked = sum(metric in judged.marks for _, judged in mine)
            middle = f"{short(found.q1)} to {short(found.q3)}"
            sides = f"{short(found.low)} to {short(found.high)}"
            row = [kind, scanner, metric, found.n, short(found.median), middle, sides]
            rows.append([*row, Entry(marked, "warn" if marked else "")])
    if not rows:
        return []
    columns = ("type", "scanner", "metric", "n", "median", "middle half", "range", "marked")
    return [Table("By scanner", columns, rows)]


def _scans(pairs: Sequence[Pair], links: str) -> list[Table]:
    """The scans of each kind, the worst first; no more than a page shows."""
    tables = []
    for kind in _kinds(pairs):
        chosen = sorted((pair for pair in pairs if pair[0].kind == kind and pair[0].metrics), key=_rank)
        metrics = [metric for metric in _FIRST if any(metric in scan.metrics for scan, _ in chosen)]
        rows: list[list[Cell | Entry]] = []
        for scan, judged in chosen[:MOST_ROWS]:
            values = [Entry(short(scan.metrics.get(metric)), _tone(judged, metric)) for metric in metrics]
            name = Entry(scan.acquisition, link=_link(links, scan))
            rows.append([scan.subject, scan.session, name, _level(judged), *values])
        if rows:
            columns = ("subject", "session", "acquisition", "level", *metrics)
            tables.append(Table(f"{kind} scans", columns, rows, total=len(chosen)))
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
