"""The rows of one project, put in order: subjects with their sessions, sessions with what lies below them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from flyball.model.levels import Level

Row = Mapping[str, Any]
_DIGITS = re.compile(r"(\d+)")


@lru_cache(maxsize=1 << 16)
def natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sorts labels as people do: `run-2` before `run-10`, upper and lower case alike."""
    return tuple(
        (0, int(part), "") if part.isascii() and part.isdigit() else (1, 0, part.casefold())
        for part in _DIGITS.split(text[:200])
        if part
    )


def label_key(row: Row) -> tuple[Any, ...]:
    """By label, then by id, so that doubled labels keep one order."""
    return (natural(str(row["label"])), str(row["label"]), str(row["id"]))


def time_key(row: Row) -> tuple[bool, float, float, str]:
    """By time, those without one last; then by creation and id."""
    time, created = row.get("time"), row.get("created")
    return (time is None, time or 0.0, created or 0.0, str(row["id"]))


@dataclass(slots=True)
class Project:
    """One project's rows.

    Attributes:
        subjects, sessions: by id.
        lower: the rows of the lowest levels that the report reads, in the order in which they came.
    """

    subjects: dict[str, Row] = field(default_factory=dict)
    sessions: dict[str, Row] = field(default_factory=dict)
    lower: list[Row] = field(default_factory=list)

    def take(self, rows: Iterable[Row]) -> None:
        """Take in rows."""
        for row in rows:
            if row["level"] == Level.SUBJECT:
                self.subjects[row["id"]] = row
            elif row["level"] == Level.SESSION:
                self.sessions[row["id"]] = row
            else:
                self.lower.append(row)

    def visits(self) -> Iterator[tuple[Row | None, Row | None]]:
        """Subject and session, in order of labels; a subject without sessions with None, and the other way round."""
        mine: dict[str | None, list[Row]] = {}
        for session in self.sessions.values():
            mine.setdefault(session["up"].get("subject"), []).append(session)
        for subject in sorted(self.subjects.values(), key=label_key):
            visits = mine.pop(subject["id"], None)
            for session in sorted(visits or (), key=label_key):
                yield subject, session
            if not visits:
                yield subject, None
        for session in sorted((one for rest in mine.values() for one in rest), key=label_key):
            yield None, session

    def names(self, row: Row) -> tuple[str, str]:
        """The labels of a row's subject and session; empty where it has none."""
        subject = self.subjects.get(row["up"].get("subject", ""))
        session = self.sessions.get(row["up"].get("session", ""))
        return label_of(subject), label_of(session)


def label_of(row: Row | None) -> str:
    """A row's label; empty where there is none."""
    return "" if row is None else str(row["label"])


def doubled(rows: Iterable[Row], above: str | None = None) -> list[str]:
    """Labels that more than one container has below the same parent; sites allow that for all but subjects."""
    seen: dict[tuple[Any, str], int] = {}
    for row in rows:
        key = (row["up"].get(above) if above else None, str(row["label"]))
        seen[key] = seen.get(key, 0) + 1
    return sorted({label for (_, label), count in seen.items() if count > 1}, key=natural)


def named(labels: Iterable[str], most: int = 8) -> str:
    """Some labels in one sentence; of a long list the first, and how many more there are."""
    found = list(labels)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """A number with its noun, in singular or plural."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
