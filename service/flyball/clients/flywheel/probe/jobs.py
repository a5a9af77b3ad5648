"""By which route this key sees jobs, and how their ids and tags are spelled on it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import OWN, Parent, Row
from flyball.clients.flywheel.dialect import JobsAccess, Spelling
from flyball.clients.flywheel.filters import Condition
from flyball.clients.flywheel.probe.asking import Asking

_PROJECTS_TRIED = 3
_NOTICES = {
    JobsAccess.PROJECTS: "jobs are read project by project (GET /jobs is not open to this key)",
    JobsAccess.SELF: "only this key's own jobs can be read",
    JobsAccess.NONE: "no jobs can be read with this key: launches cannot be looked up",
}


async def jobs(asking: Asking, projects: Sequence[str]) -> None:
    """The route to jobs; `projects` are some that the key sees, tried until one has jobs."""
    access, parent, rows = await _route(asking, projects)
    asking.found["jobs"] = access
    if access in _NOTICES:
        asking.say(_NOTICES[access])
    row = next((row for row in rows if row.get("tags") and _destination(row)), next(iter(rows), None))
    if row is not None:
        await _spelling(asking, row, parent)


async def _route(asking: Asking, projects: Sequence[str]) -> tuple[JobsAccess, Parent | None, list[Row]]:
    """The widest route that is open. An empty site-wide list counts only for those who may see all of it."""
    rows = await asking.listed("job", limit=5)
    if rows or (rows is not None and asking.found["admin"]):
        return JobsAccess.SITE, None, rows
    open_to_us = False
    for project in projects[:_PROJECTS_TRIED]:
        below: Parent = ("project", project)
        of_project = await asking.rows("job", parent=below, limit=5)
        if of_project:
            return JobsAccess.PROJECTS, below, of_project
        open_to_us = open_to_us or of_project is not None
    if rows is not None:
        return JobsAccess.SITE, None, rows
    if open_to_us:
        return JobsAccess.PROJECTS, None, []
    own = await asking.rows("job", parent=OWN, limit=5)
    return (JobsAccess.NONE, None, []) if own is None else (JobsAccess.SELF, OWN, own)


async def _spelling(asking: Asking, row: Row, parent: Parent | None) -> None:
    """`destination.id` and `tags`: together, and one by one only where that fails."""
    destination, tag = _destination(row), next(iter(row.get("tags") or ()), None)
    spelled = {
        Spelling.QUOTED: Condition(f'destination.id="{destination}"', "destination.id"),
        Spelling.BARE: Condition(f"destination.id={destination}", "destination.id"),
    }
    tagged = filters.equals("tags", tag) if tag else None
    if destination and tagged and await asking.finds("job", row, spelled[Spelling.QUOTED], tagged, parent=parent):
        asking.found |= {"string_ids": Spelling.QUOTED, "job_tags": True}
        return
    if destination:
        for spelling, condition in spelled.items():
            if await asking.finds("job", row, condition, parent=parent, limit=50):
                asking.found["string_ids"] = spelling
                break
        else:
            asking.say("jobs are not found by `destination.id`")
    if tagged:
        asking.found["job_tags"] = await asking.finds("job", row, tagged, parent=parent, limit=1000)
        if not asking.found["job_tags"]:
            asking.say("jobs are not found by their tags: a launch could not be looked up")


def _destination(row: Row) -> str | None:
    destination = row.get("destination")
    found = destination.get("id") if isinstance(destination, dict) else None
    return found if isinstance(found, str) and re.fullmatch(r"[0-9a-f]{24}", found) else None
