"""Who may see and change what: permissions of projects, groups and collections, and the site's roles."""

from typing import Any

from flyball.sandbox import shapes
from flyball.sandbox.access import level_of_access
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.errors import Refusal, listed, schema
from flyball.sandbox.tables import Doc

_LEVELS = ("admin", "rw", "ro")


def _target(call: Call) -> tuple[str, Doc]:
    """The container; its permissions are for its administrators, one's own for everybody."""
    level, doc = call.target()
    project = call.site.project_of(level, doc)
    admin = call.user.admin or (
        level_of_access(call.site, call.user, project) == "admin"
        if level == "project"
        else doc.get("curator") == call.user.id
    )
    if not admin and (call.request.method != "GET" or call.args.get("uid") != call.user.id):
        raise Refusal(403, f"user not authorized to perform a {call.request.method} operation on the permissions.")
    return level, doc


def _shown(call: Call, level: str, entry: Doc) -> Doc:
    """Projects of a recent site show roles, everything else a level of access."""
    return shapes.with_roles(entry) if level == "project" and call.site.speech.role_permissions else entry


def _access(body: Any) -> str:
    """The level of access that a request gives, directly or by roles.

    Raises:
        Refusal: 400.
    """
    given = body.get("access") or shapes.access_of_roles(listed("role_ids", body.get("role_ids")))
    if given not in _LEVELS:
        raise schema("access", f"{given!r} is not one of {list(_LEVELS)!r}")
    return str(given)


def _entry(call: Call, doc: Doc) -> Doc:
    found: Doc | None = next((p for p in doc.get("permissions") or [] if p["_id"] == call.args["uid"]), None)
    if found is None:
        raise Refusal(404, f"Element not found in list permissions of container {doc['_id']}")
    return found


def _get(call: Call) -> Reply:
    level, doc = _target(call)
    return Reply(body=_shown(call, level, _entry(call, doc)))


def _add(call: Call) -> Reply:
    level, doc = _target(call)
    body = call.json_map()
    own = str(body.get("_id"))
    if own not in call.site.users.rows:
        raise Refusal(402, f"User {own} does not exist")
    if any(p["_id"] == own for p in doc.get("permissions") or []):
        raise Refusal(409, "Item already exists in list.")
    entry = {"_id": own, "access": _access(body)}
    doc["permissions"] = [*(doc.get("permissions") or []), entry]
    call.site.touch(level, doc)
    return Reply(body=_shown(call, level, entry))


def _change(call: Call) -> Reply:
    level, doc = _target(call)
    old = _entry(call, doc)
    entry = {"_id": old["_id"], "access": _access(call.json_map())}
    doc["permissions"] = [entry if p is old else p for p in doc["permissions"]]
    call.site.touch(level, doc)
    return Reply(body=_shown(call, level, entry))


def _remove(call: Call) -> Reply:
    level, doc = _target(call)
    old = _entry(call, doc)
    doc["permissions"] = [p for p in doc["permissions"] if p is not old]
    call.site.touch(level, doc)
    return Reply(body={"modified": 1})


def _roles(_call: Call) -> Reply:
    return Reply(body=shapes.roles())


def _role(call: Call) -> Reply:
    found = next((role for role in shapes.roles() if role["_id"] == call.args["rid"]), None)
    if found is None:
        raise Refusal(404, f"Role {call.args['rid']} not found")
    return Reply(body=found)


def routes(addresses: Addresses) -> None:
    """Register the addresses of permissions and roles."""
    only = ("projects", "groups", "collections")
    addresses.add("POST", "/{c}/{id}/permissions", _add, only=only)
    addresses.add("GET", "/{c}/{id}/permissions/{uid}", _get, only=only)
    addresses.add("PUT", "/{c}/{id}/permissions/{uid}", _change, only=only)
    addresses.add("DELETE", "/{c}/{id}/permissions/{uid}", _remove, only=only)
    addresses.add("GET", "/roles", _roles)
    addresses.add("GET", "/roles/{rid}", _role)
