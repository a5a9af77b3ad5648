"""Analyses addressed below their container: `/sessions/{id}/analyses/{aid}/…` is `/analyses/{aid}/…`."""

from flyball.sandbox.api.call import Addresses, Call, Handler, Reply
from flyball.sandbox.errors import absent

_SAME = (
    ("GET", ""),
    ("PUT", ""),
    ("POST", "/notes"),
    ("GET", "/notes/{nid}"),
    ("PUT", "/notes/{nid}"),
    ("DELETE", "/notes/{nid}"),
    ("POST", "/tags"),
    ("DELETE", "/tags/{tag}"),
    ("PATCH", "/info"),
    ("GET", "/files/{name}"),
    ("GET", "/files/{name}/info"),
)


def routes(addresses: Addresses) -> None:
    """Register the nested addresses; those of the analyses themselves have to be there."""

    def forwarded(call: Call) -> Reply:
        _, above = call.target()
        analysis = call.site.analyses.rows.get(call.args["aid"])
        if analysis is None or analysis["parent"]["id"] != above["_id"]:
            raise absent("analyses", call.args["aid"])
        handler: Handler
        handler, args = addresses.find(call.request.method, call.request.segments[2:])
        return handler(Call(call.site, call.user, call.request, args))

    for method, rest in _SAME:
        addresses.add(method, f"/{{c}}/{{id}}/analyses/{{aid}}{rest}", forwarded)
