"""The levels of a site's hierarchy, and how a node at one level relates to another.

Order (Flywheel's): group, project, subject, session, acquisition, file. Analyses and jobs hang beside it: an
analysis on any container from project to acquisition, a job on its destination; both carry `parents`.
"""

from __future__ import annotations

from enum import StrEnum


class Level(StrEnum):
    """What a rule can look at one by one (`each`), besides `matrix`."""

    PROJECT = "project"
    SUBJECT = "subject"
    SESSION = "session"
    ACQUISITION = "acquisition"
    FILE = "file"
    ANALYSIS = "analysis"
    JOB = "job"
    MATRIX = "matrix"


HIERARCHY: tuple[Level, ...] = (Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION, Level.FILE)
CONTAINERS: tuple[Level, ...] = HIERARCHY[:-1]


def above(level: Level) -> tuple[Level, ...]:
    """The container levels that a node at `level` may have as ancestors, from the top.

    A file may hang on any container; an analysis and a job likewise. A cell of a matrix has none.
    """
    if level is Level.MATRIX:
        return ()
    if level in HIERARCHY:
        return HIERARCHY[: HIERARCHY.index(level)]
    return CONTAINERS


def below(level: Level) -> tuple[Level, ...]:
    """The hierarchy's levels below `level`, from the top; none for files, analyses, jobs."""
    if level in HIERARCHY:
        return HIERARCHY[HIERARCHY.index(level) + 1 :]
    return ()
