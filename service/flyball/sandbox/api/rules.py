"""Gear rules of projects and of the site."""

from flyball.sandbox.access import level_of_access, require
from flyball.sandbox.api.call import EMPTY, Addresses, Call, Reply
from flyball.sandbox.errors import Refusal
from flyball.sandbox.gear_rules import check_rule, new_rule
from flyball.sandbox.tables import Doc

_SITE = "site"


def _place(call: Call) -> str:
    """The project of the address, or the site; changing either takes an administrator of it."""
    own = call.args.get("id", _SITE)
    if own == _SITE:
        if call.request.method != "GET" and not call.user.admin:
            raise Refusal(403, "is_admin privilege required for action.")
        return own
    project = call.site.get("project", own)
    require(call.site, call.user, "project", project, "GET")
    if call.request.method != "GET" and level_of_access(call.site, call.user, own) != "admin":
        raise Refusal(403, "user not authorized to change the rules of the project.")
    return own


def _rule(call: Call) -> Doc:
    place = _place(call)
    doc = call.site.rules.rows.get(call.args["rid"])
    if doc is None or doc["project_id"] != place:
        raise Refusal(404, f"Gear rule {call.args['rid']} not found.")
    return doc


def _list(call: Call) -> Reply:
    place = _place(call)
    return Reply(body=[doc for doc in call.site.rules.rows.values() if doc["project_id"] == place])


def _add(call: Call) -> Reply:
    return Reply(body=new_rule(call.site, _place(call), call.json_map(), call.user.id))


def _get(call: Call) -> Reply:
    return Reply(body=_rule(call))


def _modify(call: Call) -> Reply:
    doc = _rule(call)
    doc.update(check_rule(call.site, call.json_map(), whole=False))
    doc["last_modified_by"] = {"type": "user", "id": call.user.id}
    call.site.rules.moved(doc, call.site.now)
    return Reply(body=doc)


def _delete(call: Call) -> Reply:
    call.site.rules.drop(_rule(call)["_id"])
    return EMPTY


def routes(addresses: Addresses) -> None:
    """Register the addresses of gear rules."""
    for prefix in ("/projects/{id}", "/site"):
        addresses.add("GET", f"{prefix}/rules", _list)
        addresses.add("POST", f"{prefix}/rules", _add)
        addresses.add("GET", f"{prefix}/rules/{{rid}}", _get)
        addresses.add("PUT", f"{prefix}/rules/{{rid}}", _modify)
        addresses.add("DELETE", f"{prefix}/rules/{{rid}}", _delete)
