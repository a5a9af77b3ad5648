"""Rows of a made-up project, as the daemon keeps them for a report."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import count
from typing import Any

from flyball.reports.kinds import LEVELS
from flyball.reports.rows import Project

Row = dict[str, Any]
YEAR = 31_557_600
MONDAY = 1_760_000_000.0  # seconds since 1970


class Lab:
    """Makes rows; ids are given in order."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._ids: Iterator[int] = count(1)

    def _add(self, level: str, label: str, up: dict[str, str], more: dict[str, Any]) -> Row:
        number = next(self._ids)
        row = {"level": level, "id": f"{number:024x}", "label": label, "up": up, "created": MONDAY + number, **more}
        self.rows.append(row)
        return row

    def subject(self, label: str, sex: Any = None) -> Row:
        """A subject."""
        return self._add("subject", label, {}, {"sex": sex})

    def session(self, subject: Row, label: str = "ses-1", age: Any = None, time: float | None = None) -> Row:
        """A session; age in seconds."""
        return self._add("session", label, {"subject": subject["id"]}, {"age": age, "time": time})

    def acquisition(self, session: Row, label: str, time: float | None = None) -> Row:
        """An acquisition."""
        return self._add("acquisition", label, {**session["up"], "session": session["id"]}, {"time": time})

    def file(self, acquisition: Row, name: str = "x_mriqc.qa.html", **more: Any) -> Row:
        """A file with metrics."""
        found = {"report": True, "metrics": {}, "scanner": None, "changed": MONDAY, "measurement": ["T2*"], **more}
        return self._add("file", name, {**acquisition["up"], "acquisition": acquisition["id"]}, found)

    def job(self, session: Row, state: str, **more: Any) -> Row:
        """A job of the gear."""
        return self._add("job", "mriqc", {**session["up"], "session": session["id"]}, {"state": state, **more})

    @property
    def project(self) -> Project:
        """All of it."""
        project = Project()
        project.take(self.rows)
        return project

    def read_by(self, kind: str) -> Project:
        """What a kind of report reads of it."""
        project = Project()
        project.take(row for row in self.rows if row["level"] in LEVELS[kind])
        return project


class Page(HTMLParser):
    """What a page is made of: its elements, and its text by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Some text."""
        self.words.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]
