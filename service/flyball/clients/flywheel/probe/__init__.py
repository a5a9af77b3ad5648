"""The start-up canary: shows on objects that are there how this site wants to be asked, in about 20 requests.

A site answers a wrongly spelled id, date or tag with 200 and nothing. So each spelling is tried on an object already
seen, and counts only when that object comes back. What could not be shown stays `None` in the dialect, and an empty
answer that relies on it must not be read as "there is none". Nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flyball.clients.flywheel.client import FlywheelClient, Row
from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.probe.asking import Asking, parent_of, time_of
from flyball.clients.flywheel.probe.jobs import jobs
from flyball.clients.flywheel.probe.showing import file_names, files, info, tags
from flyball.clients.flywheel.probe.spelling import order, spelling
from flyball.model.errors import Refused

__all__ = ["probe", "probe_tags"]

_LIMITS = (1000, 250, 100)


async def probe(client: FlywheelClient) -> Dialect:
    """The site's dialect, with findings for people in it. The client's own dialect is neither used nor changed.

    Raises:
        Refused: the key is not accepted.
        Transient: the site cannot be reached now; probe again later.
    """
    asking = Asking(FlywheelClient(client.transport, Dialect()))
    await _identity(asking)
    await _release(asking)
    sessions = await _sessions(asking)
    level, row = await _canary(asking, sessions)
    if row is None:
        asking.say("this key sees no sessions and no projects: nothing is proved yet, and no empty answer is believed")
    else:
        await spelling(asking, level, row)
        await order(asking, sessions)
    acquisitions = await info(asking, sessions)
    of_files = await files(asking)
    await file_names(asking, of_files)
    await tags(asking, {"session": sessions, "acquisition": acquisitions, "file": of_files})
    projects = [row["id"]] if row is not None and level == "project" else []
    projects += [found for session in sessions if (found := parent_of(session, "project"))]
    await jobs(asking, list(dict.fromkeys(projects)))
    await asking.listed("gear", limit=1)  # K19 cannot continue this list by id
    return asking.dialect()


async def probe_tags(client: FlywheelClient) -> Dialect:
    """The client's dialect with what its lists show of tags asked again, in six requests.

    For a site on which nothing was tagged yet when it was probed: the first tags that we set are proof enough.
    """
    known = client.dialect
    asking = Asking(FlywheelClient(client.transport, Dialect()), operators=dict(known.operators))
    asking.found["files_endpoint"] = known.files_endpoint
    asking.after_id |= known.after_id
    await tags(asking, {})
    seen = {level: shown for level, shown in asking.tags_listed.items() if shown is not None}
    return replace(known, tags_listed={**known.tags_listed, **seen}, findings=(*known.findings, *asking.findings))


async def _identity(asking: Asking) -> None:
    """Whose key it is. An unknown key may still get 200 and empty lists (live19), so this comes first."""
    status = await asking.client.auth_status()
    origin = status.get("origin")
    user = status.get("user_id") or (origin.get("id") if isinstance(origin, dict) else None)
    site = asking.client.site
    if not user:
        raise Refused(f"{site}: the site does not recognise the API key", status=401, site=site)
    roles = tuple(role for role in status.get("roles") or () if isinstance(role, str))
    admin = bool(status.get("user_is_admin")) or "site_admin" in roles
    asking.found |= {"user_id": str(user), "roles": roles, "admin": admin}


async def _release(asking: Asking) -> None:
    version = await asking.tolerated(asking.client.version()) or {}
    config = await asking.tolerated(asking.client.config()) or {}
    release = version.get("flywheel_release") or version.get("release")
    features = config.get("features")
    claimed = features.get("tags_in_lists") if isinstance(features, dict) else None
    asking.found["release"] = str(release) if release else None
    asking.found["config_tags_in_lists"] = claimed if isinstance(claimed, bool) else None


async def _sessions(asking: Asking) -> list[Row]:
    """A first page as long as the site gives, and with it what is known of page sizes."""
    for limit in _LIMITS:
        rows = await asking.listed("session", limit=limit)
        if rows is not None:
            break
    else:
        asking.say("the list of sessions answers with an error whatever is asked")
        return []
    asking.found["largest_limit"] = limit
    if limit != _LIMITS[0]:
        asking.say(f"the site takes pages of at most {limit} rows")
    if len(rows) >= limit:
        asking.found["page_size"] = limit
    elif rows and asking.after_id.get("session"):
        further = await asking.rows("session", limit=1, after_id=max(row["id"] for row in rows))
        if further:
            asking.found["page_size"] = len(rows)
            asking.say(f"the site gives pages of {len(rows)} rows although {limit} were asked for")
    return rows


async def _canary(asking: Asking, sessions: Sequence[Row]) -> tuple[str, Row | None]:
    """An object to try spellings on, with its level: a session, else a project."""
    for row in sessions:
        if time_of(row, "created") and time_of(row, "modified") and parent_of(row, "project"):
            return "session", row
    for row in await asking.rows("project", limit=5) or ():
        if time_of(row, "created") and time_of(row, "modified"):
            return "project", row
    return "project", None
