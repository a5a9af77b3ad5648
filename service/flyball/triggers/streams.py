"""Streams: the things that are asked for in each round, one request each while nothing changes. Pure.

A parent's `modified` does not move when a child changes (live19), so that every level is a stream of its own. On
sites without `/files` an upload moves only the file, and is asked for by `files.modified` of its container.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flyball.clients.flywheel.client import OWN
from flyball.clients.flywheel.dialect import Dialect, JobsAccess
from flyball.model.levels import CONTAINERS, Level
from flyball.model.times import parse_time
from flyball.triggers.needs import Needs

FILES = "files.modified"


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing that is asked for in each round.

    Attributes:
        level: of the rows.
        field: the time that is asked for: `modified`, or `files.modified` on sites without `/files`.
        parent: for jobs outside the site-wide list: a project, or the key's own jobs.
    """

    level: Level
    field: str = "modified"
    parent: tuple[str, str] | None = None

    @property
    def name(self) -> str:
        """Key of the cursor."""
        parts = [str(self.level), *([] if self.field == "modified" else [self.field]), *(self.parent or ())]
        return "/".join(parts)

    @property
    def brings(self) -> Level:
        """The level about which the stream tells."""
        return Level.FILE if self.field == FILES else self.level

    def time_of(self, row: Mapping[str, Any]) -> datetime | None:
        """The row's time that the stream goes by; of files the newest."""
        if self.field != FILES:
            return parse_time(row.get(self.field))
        files = row.get("files")
        entries = files if isinstance(files, list) else []
        times = [parse_time(entry.get("modified")) for entry in entries if isinstance(entry, Mapping)]
        return max((time for time in times if time is not None), default=None)


def streams_of(needs: Needs, dialect: Dialect, projects: Collection[str]) -> list[Stream]:
    """What is asked for in each round, from the top of the hierarchy.

    Args:
        needs: of the rules.
        dialect: by which routes the site shows files and jobs.
        projects: those that are watched, for sites where jobs are listed by project.
    """
    found: list[Stream] = []
    for level in needs.streams:
        if level is Level.FILE and dialect.files_endpoint is False:
            found += [Stream(container, FILES) for container in CONTAINERS if container in needs.streams]
        elif level is Level.JOB and dialect.jobs is JobsAccess.PROJECTS:
            found += [Stream(level, parent=("project", ident)) for ident in sorted(projects)]
        elif level is Level.JOB and dialect.jobs is JobsAccess.SELF:
            found.append(Stream(level, parent=OWN))
        elif level is Level.JOB and dialect.jobs is JobsAccess.NONE:
            continue
        else:
            found.append(Stream(level))
    return found
