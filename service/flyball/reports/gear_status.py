"""`gear-status`: for each session the last run of a gear, its state, and how often it ran. Pure.

Runs are jobs of the gear, of whatever version, on the session or on something below it. The last one is the one created
last; a retry is a job of its own and counts as a further run. Where a job cannot be read, its analysis tells that there
was a run; its state is then `unknown`, which is neither `never` nor `complete`. A run on a subject or on the project
belongs to no session and gets a row of its own, without a session.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from flyball.model.levels import Level
from flyball.reports.cells import Cell
from flyball.reports.content import Bars, Content, Entry, Fact, Figure, Table, Tone
from flyball.reports.demographics import share
from flyball.reports.rows import Project, Row, counted, doubled, label_of, named

NEVER: Final = "never"
UNKNOWN: Final = "unknown"
_SHOWN: Final[Mapping[str, str]] = {
    "complete": "complete",
    "failed": "failed",
    "cancelled": "cancelled",
    "pending": "running",
    "scheduled": "running",
    "running": "running",
}
"""State of a job on the site → what the report says; other states are `unknown`."""
STATES: Final = ("complete", "running", "failed", "cancelled", UNKNOWN, NEVER)
_TONES: Final[Mapping[str, Tone]] = {
    "complete": "good",
    "running": "busy",
    "failed": "bad",
    "cancelled": "warn",
    UNKNOWN: "warn",
    NEVER: "",
}


def gear_status(project: Project, path: str, gear: str) -> Content:
    """The report.

    Args:
        project: with subjects, sessions, and the gear's jobs and analyses.
        path: `group/label`.
        gear: the gear's name.
    """
    runs, seen = _runs(project)
    rows: list[list[Cell]] = []
    shown: list[list[Cell | Entry]] = []
    states: dict[str, int] = dict.fromkeys(STATES, 0)
    again = total = 0
    for subject, session in project.visits():
        if session is None:
            continue
        mine = sorted(runs.pop((Level.SESSION, session["id"]), []), key=_created)
        line = _line(label_of(subject), label_of(session), mine, gear, path)
        state = str(line[2])
        states[state] += 1
        total, again = total + 1, again + (len(mine) > 1)
        rows.append(line)
        shown.append(_entries(line))
    apart = _apart(project, runs, gear, path)
    states = {state: count for state, count in states.items() if count or state in (NEVER, "complete", "failed")}
    return Content(
        title="Gear status",
        subtitle=f"{gear} in {path}",
        columns=("subject", "session", "status", "runs", "reruns", "last_run", "version", "state", "gear", "project"),
        rows=[*rows, *apart],
        facts=[
            Fact("sessions", f"{total:,}"),
            *(Fact(state, share(count, total), _TONES[state] if count else "") for state, count in states.items()),
            Fact("run more than once", f"{again:,}"),
        ],
        notes=_notes(project, total, len(apart), seen, gear),
        figures=_figures(states, total, gear),
        tables=[
            Table("Sessions", ("subject", "session", "status", "runs", "last run", "version"), _worst_first(shown)),
            *_apart_table(apart),
        ],
        numbers={
            "gear": gear,
            "sessions": total,
            "states": states,
            "rerun": again,
            "runs": sum(int(line[3] or 0) for line in rows),
        },
    )


def _runs(project: Project) -> tuple[dict[tuple[Level, str], list[Row]], bool]:
    """The runs by the container that they belong to, and whether some could be told by their analysis alone."""
    jobs = {row["id"] for row in project.lower if row["level"] == Level.JOB}
    blind = False
    found: dict[tuple[Level, str], list[Row]] = {}
    for row in project.lower:
        if row["level"] == Level.ANALYSIS:
            job = row.get("job")
            if job is None or job in jobs:
                continue
            blind = True
        up = row["up"]
        if up.get("session") in project.sessions:
            key = (Level.SESSION, up["session"])
        elif up.get("subject") in project.subjects:
            key = (Level.SUBJECT, up["subject"])
        else:
            key = (Level.PROJECT, "")
        found.setdefault(key, []).append(row)
    return found, blind


def _created(row: Row) -> tuple[float, str]:
    return (row.get("created") or 0.0, str(row["id"]))


def state_of(row: Row) -> str:
    """What a run's state is called in the report."""
    return _SHOWN.get(str(row.get("state")), UNKNOWN)


def _line(subject: str, session: str, runs: list[Row], gear: str, path: str) -> list[Cell]:
    if not runs:
        return [subject, session, NEVER, 0, 0, "", "", "", gear, path]
    last = runs[-1]
    version, state = last.get("version") or "", str(last.get("state") or "")
    return [subject, session, state_of(last), len(runs), len(runs) - 1, day(last), version, state, gear, path]


def _entries(line: list[Cell]) -> list[Cell | Entry]:
    subject, session, status, runs, _, last, version, *_ = line
    return [subject, session, Entry(status, _TONES[str(status)]), runs, last, version]


def _worst_first(rows: list[list[Cell | Entry]]) -> list[list[Cell | Entry]]:
    """What needs someone's eyes first, so that it is among the rows that are shown; else in their order."""
    order = {"failed": 0, "cancelled": 1, UNKNOWN: 2, NEVER: 3, "running": 4, "complete": 5}
    return sorted(rows, key=lambda row: order[str(row[2].value)] if isinstance(row[2], Entry) else 9)


def _apart(project: Project, runs: dict[tuple[Level, str], list[Row]], gear: str, path: str) -> list[list[Cell]]:
    """A row for each subject, and one for the project, that the gear ran on as such."""
    found = []
    for (level, ident), some in runs.items():
        subject = label_of(project.subjects.get(ident)) if level is Level.SUBJECT else ""
        found.append(_line(subject, "", sorted(some, key=_created), gear, path))
    return sorted(found, key=lambda line: str(line[0]))


def _apart_table(apart: list[list[Cell]]) -> list[Table]:
    if not apart:
        return []
    rows = [[line[0] or "(the project)", *_entries(line)[2:]] for line in apart]
    note = "Runs on a subject or on the project itself. They belong to no single session."
    return [Table("Runs above the session", ("subject", "status", "runs", "last run", "version"), rows, note)]


def _notes(project: Project, total: int, apart: int, blind: bool, gear: str) -> list[str]:  # noqa: FBT001 - a fact
    notes = []
    if not total:
        notes.append("The project has no sessions.")
    elif not project.lower:
        notes.append(f"No run of {gear} was seen in this project. The name is compared exactly.")
    if blind:
        notes.append("Some jobs cannot be read with this key; their analyses show that there was a run: unknown.")
    if apart:
        notes.append(f"{counted(apart, 'run target')} above the session: see the last table.")
    same = doubled(project.sessions.values(), "subject")
    if same:
        notes.append(f"Some subjects have several sessions of one label: {named(same)}. Each has its own row.")
    return notes


def _figures(states: dict[str, int], total: int, gear: str) -> list[Figure]:
    if not total:
        return []
    alt = "Bars: " + ", ".join(f"{state} {share(count, total)}" for state, count in states.items()) + "."
    tones: dict[str, Any] = {state: _TONES[state] for state in states}
    return [Figure(f"Last run of {gear}", alt, Bars(states, "sessions", tones, total))]


def day(row: Row) -> str:
    """The day and minute of a run's creation, UTC."""
    created = row.get("created")
    return "" if created is None else datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%d %H:%M")
