"""Who asks, and what they may see and do.

Two kinds of users: site admins see everything; others what their projects' permissions give them
(`ro` reads, `rw` and `admin` write).
"""

from collections.abc import Callable
from dataclasses import dataclass

from flyball.sandbox.errors import Refusal
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_OPEN = frozenset({"gear", "user", "view", "execution", "batch"})
"""What everybody sees, or what the addresses themselves choose from."""

BEARER_LENGTH = 57
"""Keys of exactly this length go with `Bearer` (SDK 23 wire)."""


@dataclass(frozen=True, slots=True)
class User:
    """The user of a request."""

    id: str
    admin: bool


def authenticate(site: Site, header: str | None) -> User | None:
    """The user of an `Authorization` header; None without one.

    Raises:
        Refusal: 401 for a wrong key or a scheme that does not go with it; 402 for a disabled user.
    """
    if not header:
        return None
    scheme, _, key = header.partition(" ")
    known = site.keys.get(key)
    fits = scheme == "scitran-user" or (scheme == "Bearer" and len(key) == BEARER_LENGTH and site.speech.bearer_keys)
    if known is None or not fits:
        raise Refusal(401, "Invalid API key")
    doc = site.users.rows[known]
    if doc.get("disabled"):
        raise Refusal(402, f"User {known} is disabled")
    return User(known, "site_admin" in doc["roles"])


def level_of_access(site: Site, user: User, project_id: str | None) -> str | None:
    """The user's access to a project: `admin`, `rw`, `ro` or none."""
    if user.admin:
        return "admin"
    project = site.projects.rows.get(project_id or "")
    permissions = project["permissions"] if project else []
    return next((p["access"] for p in permissions if p["_id"] == user.id), None)


def visible(site: Site, user: User, level: str) -> Callable[[Doc], bool] | None:
    """A test for what the user sees of a level; None when that is everything."""
    if user.admin or level in _OPEN:
        return None
    seen = {p["_id"] for p in site.projects.rows.values() if level_of_access(site, user, p["_id"])}
    if level == "project":
        return lambda doc: doc["_id"] in seen
    if level == "group":
        groups = {site.projects.rows[p]["group"] for p in seen}
        return lambda doc: doc["_id"] in groups
    if level == "collection":
        return lambda doc: doc.get("curator") == user.id
    return lambda doc: doc["parents"].get("project") in seen


def require(site: Site, user: User, level: str, doc: Doc, method: str) -> None:
    """Let the request pass if the user may do it.

    Raises:
        Refusal: 403 or 404 for what is hidden (by dialect), 403 for a write without the right.
    """
    if user.admin or level in _OPEN:
        return
    test = visible(site, user, level)
    if test is not None and not test(doc):
        status = site.speech.hidden_status
        text = f"user not authorized to perform a {method} operation on the container."
        raise Refusal(status, text if status == 403 else f"Could not find {level} {doc['_id']}")
    if method == "GET" or level == "collection":
        return
    access = level_of_access(site, user, site.project_of(level, doc))
    if access not in {"rw", "admin"}:
        raise Refusal(403, f"user not authorized to perform a {method} operation on the container.")
