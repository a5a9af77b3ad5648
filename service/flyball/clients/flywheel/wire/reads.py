"""Requests that only read: the site itself, lists, single objects, look-up by path."""

from __future__ import annotations

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import address, plural
from flyball.model.errors import Permanent

JSON_BODY = ("Content-Type", "application/json")


def auth_status() -> Request:
    """`{"origin", "user_id", "user_is_admin", "roles", …}`: whose key this is (SDK 23 wire)."""
    return Request("GET", "/auth/status", template="/auth/status")


def current_user() -> Request:
    """`{"_id", "email", "roles", …}`."""
    return Request("GET", "/users/self", template="/users/self")


def config() -> Request:
    """`{"site": {…}, "features": {flag: bool}, "signed_url": bool, …}`."""
    return Request("GET", "/config", template="/config")


def version() -> Request:
    """`{"release", "flywheel_release", …}`."""
    return Request("GET", "/version", template="/version")


def rows(
    level: str,
    *,
    parent: tuple[str, str] | None = None,
    filter: str | None = None,  # noqa: A002 - the API's own word
    sort: str | None = None,
    limit: int | None = None,
    after_id: str | None = None,
    page: int | None = None,
    all_info: bool = False,
    exhaustive: bool = False,
    inflate_job: bool = False,
    all_versions: bool = False,
) -> Request:
    """A list: of the whole site, or of one parent's children.

    Args:
        level: what is listed.
        parent: level and id; `("user", "self")` with level `job` is the key's own jobs.
        filter: conditions joined by commas; must not be empty.
        sort: `field:asc` or `field:desc`, several joined by commas; not together with `after_id` (422, live19).
        limit: rows at most, 1 or more; the API has no zero.
        after_id: only ids beyond this one, in their order.
        page: 1-based; needs `limit`.
        all_info: put `info` of containers and files into the rows, where the site honours it.
        exhaustive: site administrators: regardless of permissions.
        inflate_job: analyses: `job` is the object instead of its id.
        all_versions: gears: not only the newest of each name.
    """
    if after_id is not None and (sort is not None or page is not None):
        raise Permanent("a list cannot be sorted or numbered and continued by id at once")
    flags = {
        "exhaustive": exhaustive,
        "include_all_info": all_info,
        "inflate_job": inflate_job,
        "all_versions": all_versions,
    }
    query = [(name, "true") for name, wanted in flags.items() if wanted]
    values = {"filter": filter, "sort": sort, "limit": limit, "page": page, "after_id": after_id}
    query += [(name, str(value)) for name, value in values.items() if value is not None]
    if parent is None:
        path = template = f"/{plural(level)}"
    elif parent == ("user", "self"):
        path = template = f"/users/self/{plural(level)}"
    else:
        path, template = address(*parent, plural(level))
    return Request("GET", path, tuple(query), template=template)


def session_jobs(session: str, *, tags: tuple[str, ...] = (), states: tuple[str, ...] = ()) -> Request:
    """Jobs of a session, its acquisitions and analyses; any of the tags (live19). Parameters repeat (SDK 23 wire)."""
    path, template = address("session", session, "jobs")
    query = [("states", state) for state in states] + [("tags", tag) for tag in tags]
    return Request("GET", path, tuple(query), template=template)


def single(level: str, id_: str, *, slim: bool = False) -> Request:
    """One object with its `info`, its files' `info`, its tags and its analyses. Analyses come with their job.

    `slim` leaves out files and analyses, where the site can.
    """
    path, template = address(level, id_)
    query = (("inflate_job", "true"),) if level == "analysis" else ()
    headers = (("X-Accept-Feature", "Safe-Redirect,multipart_signed_url,slim-containers,exclude-files"),)
    return Request("GET", path, query, headers if slim else (), template=template)


def job_detail(id_: str) -> Request:
    """A job for those who may read its inputs; the plain address is for administrators on sites of 2019 (live19)."""
    path, template = address("job", id_, "detail")
    return Request("GET", path, template=template)


def tags_of_file(file_id: str) -> Request:
    """A file's tags alone: a list of texts."""
    path, template = address("file", file_id, "tags")
    return Request("GET", path, template=template)


def lookup(parts: tuple[str, ...]) -> Request:
    """One node by its path of labels (or `<id:…>`), or `gears`, name and version.

    A POST that changes nothing. K19 has subjects in paths only for clients that say so (live19).
    """
    return Request(
        "POST",
        "/lookup",
        headers=(JSON_BODY, ("X-Accept-Feature", "Safe-Redirect,multipart_signed_url,subject-container")),
        body=to_json({"path": list(parts)}),
        does=Does.READ,
        template="/lookup",
    )
