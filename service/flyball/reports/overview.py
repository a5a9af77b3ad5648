"""`overview`: which session has which acquisition, as counts; what a session lacks of the usual ones. Pure.

What is usual shows in the data: an acquisition that at least half of the sessions have. A protocol that the lab has
written down is checked by rules (`expect`), not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from flyball.reports.cells import Cell, plain
from flyball.reports.content import Bars, Content, Entry, Fact, Figure, Matrix, Table, Tone
from flyball.reports.demographics import percent, share
from flyball.reports.rows import Project, Row, counted, doubled, label_of, named, natural

USUAL: Final = 0.5  # share of the sessions
MOST_COLUMNS: Final = 400  # of different labels; rarer ones are counted together
OTHER: Final = "other acquisitions"
SHOWN_COLUMNS: Final = 60  # in the picture


class Seen:
    """Who has what: sessions in order with their counts."""

    def __init__(self, project: Project) -> None:
        self.visits: list[tuple[Row | None, Row]] = [
            (subject, session) for subject, session in project.visits() if session is not None
        ]
        counts: dict[str, dict[str, int]] = {}
        self.loose = 0
        for row in project.lower:
            session = row["up"].get("session")
            if session not in project.sessions:
                self.loose += 1
                continue
            mine = counts.setdefault(session, {})
            label = plain(str(row["label"]))
            mine[label] = mine.get(label, 0) + 1
        having: dict[str, int] = {}
        for mine in counts.values():
            for label in mine:
                having[label] = having.get(label, 0) + 1
        self.counts = counts
        self.having = having
        ranked = sorted(having, key=lambda label: (-having[label], natural(label), label))
        self.labels = ranked[:MOST_COLUMNS]
        self.rare = frozenset(ranked[MOST_COLUMNS:])
        total = len(self.visits)
        self.usual = sorted((label for label in ranked if having[label] >= USUAL * total), key=natural)

    def of(self, session: Row) -> dict[str, int]:
        """A session's counts by label."""
        return self.counts.get(session["id"], {})

    def lacks(self, session: Row) -> list[str]:
        """What a session lacks of the usual acquisitions."""
        mine = self.of(session)
        return [label for label in self.usual if label not in mine]


def overview(project: Project, path: str) -> Content:
    """The report.

    Args:
        project: with subjects, sessions and acquisitions.
        path: `group/label`.
    """
    seen = Seen(project)
    labels = sorted(seen.labels, key=natural)
    columns = ["subject", "session", "acquisitions", "missing", *labels, *([OTHER] if seen.rare else []), "project"]
    rows: list[list[Cell]] = []
    for subject, session in seen.visits:
        mine = seen.of(session)
        rare = [sum(count for label, count in mine.items() if label in seen.rare)] if seen.rare else []
        lacking = "; ".join(seen.lacks(session))
        found = [mine.get(label, 0) for label in labels]
        rows.append([label_of(subject), label_of(session), sum(mine.values()), lacking, *found, *rare, path])
    total = len(seen.visits)
    complete = sum(not seen.lacks(session) for _, session in seen.visits)
    return Content(
        title="Overview",
        subtitle=path,
        columns=columns,
        rows=rows,
        facts=_facts(project, seen, complete),
        notes=_notes(project, seen),
        figures=_figures(seen, total),
        tables=_tables(seen, total),
        numbers={
            "subjects": len(project.subjects),
            "sessions": total,
            "acquisitions": sum(sum(mine.values()) for mine in seen.counts.values()),
            "labels": {label: seen.having[label] for label in labels},
            "usual": seen.usual,
            "complete": complete,
        },
    )


def _facts(project: Project, seen: Seen, complete: int) -> list[Fact]:
    total = len(seen.visits)
    facts = [
        Fact("subjects", f"{len(project.subjects):,}"),
        Fact("sessions", f"{total:,}"),
        Fact("acquisitions", f"{sum(sum(mine.values()) for mine in seen.counts.values()):,}"),
        Fact("different labels", f"{len(seen.having):,}"),
    ]
    if total:
        facts.append(Fact("sessions with all usual ones", share(complete, total), "good" if complete == total else ""))
    return facts


def _notes(project: Project, seen: Seen) -> list[str]:
    notes = []
    if not seen.visits:
        notes.append("The project has no sessions.")
    if seen.usual:
        notes.append(f"Usual are the acquisitions that at least half of the sessions have: {named(seen.usual, 20)}.")
    without = [label_of(subject) for subject, session in project.visits() if session is None]
    if without:
        notes.append(f"{counted(len(without), 'subject')} without a session: {named(without)}.")
    same = doubled(project.sessions.values(), "subject")
    if same:
        notes.append(f"Some subjects have several sessions of one label: {named(same)}. Each has its own row.")
    if seen.rare:
        notes.append(f"{counted(len(seen.rare), 'label')} beyond the {MOST_COLUMNS} most frequent count as “{OTHER}”.")
    if seen.loose:
        notes.append(f"{counted(seen.loose, 'acquisition')} of sessions that cannot be read are left out.")
    return notes


def _figures(seen: Seen, total: int) -> list[Figure]:
    if not seen.having:
        return []
    top = sorted(seen.labels[:SHOWN_COLUMNS], key=natural)
    kinds = sorted(seen.labels[:30], key=lambda label: -seen.having[label])
    tones: dict[str, Tone] = {label: "" if label in seen.usual else "faint" for label in kinds}
    rows = [f"{label_of(subject)} {label_of(session)}" for subject, session in seen.visits]
    counts: Sequence[Sequence[int]] = [[seen.of(session).get(label, 0) for label in top] for _, session in seen.visits]
    alt = (
        f"Matrix of {counted(total, 'session')} by {counted(len(top), 'acquisition label')}: filled where a session "
        "has the acquisition. The same is in the CSV, and what is missing is listed below."
    )
    some = "" if len(top) == len(seen.having) else f" The {len(top)} most frequent labels of {len(seen.having):,}."
    first = Figure(
        "Who has which acquisition",
        alt,
        Matrix(rows, top, counts),
        f"Blue: once; orange: more than once; empty: not there. One line a session.{some}",
    )
    said = "; ".join(f"{label}: {share(seen.having[label], total)}" for label in kinds[:12])
    bars = Bars({label: seen.having[label] for label in kinds}, "sessions that have it", tones, total)
    return [first, Figure("Sessions that have each acquisition", f"Bars, {said}.", bars)]


def _tables(seen: Seen, total: int) -> list[Table]:
    tables: list[Table] = []
    lacking: list[list[Any]] = []
    for subject, session in seen.visits:
        missing = seen.lacks(session)
        if missing:
            lacking.append([label_of(subject), label_of(session), Entry(named(missing, 12), "warn")])
    if lacking:
        tables.append(Table("Sessions that lack a usual acquisition", ("subject", "session", "lacks"), lacking))
    rows: list[list[Any]] = []
    for label in sorted(seen.labels, key=natural):
        having = seen.having[label]
        repeated = sum(mine.get(label, 0) > 1 for mine in seen.counts.values())
        rows.append([label, having, percent(having, total), total - having, repeated])
    if rows:
        columns = ("acquisition", "sessions", "share", "without", "more than once")
        tables.append(Table("Acquisitions", columns, rows))
    return tables
