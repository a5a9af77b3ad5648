"""What this site's lists show: info and tags, or only their absence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from flyball.clients.flywheel import filters
from flyball.clients.flywheel.client import Row
from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.probe.asking import Asking

_TAGGED = ("project", "subject", "session", "acquisition", "analysis")


async def info(asking: Asking, sessions: Sequence[Row]) -> list[Row]:
    """Whether `include_all_info` puts real info into lists of containers; the acquisitions seen on the way."""
    acquisitions = await asking.listed("acquisition", info=True, limit=50) or []
    shown: bool | None = None
    if any(has_info(row) for row in acquisitions):
        shown = True
    elif (row := _first_claiming(acquisitions)) is not None:
        single = await asking.tolerated(asking.client.get("acquisition", row["id"]))
        shown = False if single is not None and has_info(single) else None
    if shown is None and (row := _first_claiming(sessions)) is not None:
        shown = await _session_info(asking, row)
    asking.found["info_in_lists"] = shown
    if shown is False:
        asking.say("lists leave out `info` although include_all_info was asked for: changed objects are read singly")
    return acquisitions


async def _session_info(asking: Asking, row: Row) -> bool | None:
    spelling = asking.found.get("object_ids")
    if spelling is None:
        return None
    own = filters.identified("_id", row["id"], Dialect(object_ids=spelling))
    listed = await asking.rows("session", info=True, filter=filters.where(own), limit=1)
    if any(has_info(item) for item in listed or ()):
        return True
    single = await asking.tolerated(asking.client.get("session", row["id"]))
    return False if listed and single is not None and has_info(single) else None


async def files(asking: Asking) -> list[Row]:
    """Whether `/files` is there and shows info."""
    rows = await asking.listed("file", info=True, limit=50)
    asking.found["files_endpoint"] = rows is not None
    if rows is None:
        asking.say("the site has no list of files (GET /files): they are read with their containers, and not tagged")
        return []
    shown: bool | None = None
    claiming = (row for row in rows if row.get("info_exists", True) and row.get("file_id"))
    if any(own_info(row) for row in rows):
        shown = True
    elif (row := next(claiming, None)) is not None:
        single = await asking.tolerated(asking.client.get("file", row["file_id"]))
        shown = False if single is not None and own_info(single) else None
        if shown is False:
            asking.say("GET /files leaves out `info`: changed files are read singly")
    asking.found["info_in_files"] = shown
    return rows


async def file_names(asking: Asking, rows: Sequence[Row]) -> None:
    """Whether `/files` can be filtered by name: one that is there finds files of that name only, another one none."""
    name = next((str(row["name"]) for row in rows if isinstance(row.get("name"), str) and len(row["name"]) > 2), None)
    if name is None or asking.operators.get("=~") is not True:
        return
    found = await asking.rows("file", filter=filters.where(filters.like("name", [f"{name[:-1]}?"])), limit=5)
    if not found or not all(str(row.get("name"))[:-1] == name[:-1] for row in found):
        asking.found["file_names"] = False
        return
    none = await asking.rows("file", filter=filters.where(filters.like("name", ["fb-no-such-name*"])), limit=1)
    asking.found["file_names"] = none == []


async def tags(asking: Asking, seen: dict[str, list[Row]]) -> None:
    """Per level, whether listed rows carry their tags: on a row that the site itself finds by a tag."""
    levels = (*_TAGGED, "file") if asking.found.get("files_endpoint") else _TAGGED
    for level in levels:
        asking.tags_listed[level] = True if any(row.get("tags") for row in seen.get(level, ())) else None
        if asking.tags_listed[level] or asking.operators.get("=~") is False:
            continue
        rows = await asking.listed(level, limit=1, filter=filters.where(filters.has_any_tag()))
        if rows:
            asking.tags_listed[level] = await _tags_shown(asking, level, rows[0])
    hidden = [level for level, shown in asking.tags_listed.items() if shown is False]
    if hidden:
        asking.say(f"lists hide the tags of {', '.join(hidden)}: they are read singly before a tag is changed")


async def _tags_shown(asking: Asking, level: str, row: Row) -> bool | None:
    if row.get("tags"):
        return True
    if await asking.tolerated(asking.client.tags(level, str(row["id"]))):
        return False
    asking.say(f"`tags=~.` finds a {level} without tags: filters on tags are not to be relied on there")
    return None


def own_info(row: Any) -> bool:
    """There is info, beyond the one key that lists keep anyway (live19: BIDS)."""
    found = row.get("info") if isinstance(row, dict) else None
    return isinstance(found, dict) and bool(set(found) - {"BIDS"})


def has_info(row: Row) -> bool:
    """The row or one of its files carries info."""
    return own_info(row) or any(own_info(entry) for entry in row.get("files") or ())


def _first_claiming(rows: Sequence[Row]) -> Row | None:
    """The first row that says, or does not deny, that there is info on it or its files."""
    for row in rows:
        entries = [row, *(entry for entry in row.get("files") or () if isinstance(entry, dict))]
        if any(entry.get("info_exists", True) for entry in entries):
            return row
    return None
