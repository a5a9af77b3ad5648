"""The front door: who asks, what for, and the answer, errors included."""

import zlib

from flyball.sandbox.access import User, authenticate
from flyball.sandbox.api import (
    batches,
    bulk,
    bundles,
    containers,
    files,
    listing,
    nested,
    rules,
    search,
    sharing,
    site,
    tree,
    uploads,
    views,
    work,
)
from flyball.sandbox.api.call import Addresses, Call, Reply, Request
from flyball.sandbox.errors import Refusal
from flyball.sandbox.state import Site

_OPEN = {("config",), ("version",), ("system", "ready")}
_NOBODY = User("", admin=False)


_MODULES = (
    *(containers, listing, files, uploads, bundles, work, batches, rules, sharing, bulk, tree, search, views, site),
    nested,
)
"""What has addresses; the nested ones lead to the others."""


def _all_addresses() -> Addresses:
    addresses = Addresses()
    for module in _MODULES:
        module.routes(addresses)
    return addresses


ADDRESSES = _all_addresses()


def answer(state: Site, request: Request) -> Reply:
    """Carry out a request on the site as it is at `state.now`, and answer it."""
    try:
        user = authenticate(state, request.headers.get("authorization")) or _by_ticket(state, request)
        if user is None and tuple(request.segments) not in _OPEN:
            return _anonymous(state, request)
        handler, args = ADDRESSES.find(request.method, request.segments)
        return handler(Call(state, user or _NOBODY, request, args))
    except Refusal as refusal:
        return refused(state, request, refusal)


def _by_ticket(state: Site, request: Request) -> User | None:
    """A download ticket needs no key (wire)."""
    if request.method == "GET" and request.segments == ["download"] and "ticket" in request.query:
        return _NOBODY
    owner, segments = state.tickets.get(request.query.get("ticket", [""])[-1], ("", ()))
    if request.method != "GET" or tuple(request.segments) != segments:
        return None
    return User(owner, admin="site_admin" in state.users.rows[owner]["roles"])


def _anonymous(state: Site, request: Request) -> Reply:
    """Without a key: refused, but an empty list on a 2019 site (live19)."""
    if state.speech.anonymous_lists and request.method == "GET" and len(request.segments) == 1:
        return Reply(body=[])
    raise Refusal(401, "Authentication required")


def refused(state: Site, request: Request, refusal: Refusal) -> Reply:
    """The error body in the site's style."""
    if refusal.detail is not None:
        return Reply(status=refusal.status, body={"detail": refusal.detail})
    if refusal.status == 501:
        text = f"\n{refusal.message} <br /><br />\n"
        body = {"message": text, "code": "501 Not Implemented", "title": "Not Implemented"}
        return Reply(status=501, body=body, content_type="application/json")
    token = zlib.crc32(f"{state.now.isoformat()}{request.segments}".encode())
    common = {
        "status_code": refusal.status,
        "message": refusal.message,
        "request_id": f"{token:08x}-{int(state.now.timestamp())}",
    }
    return Reply(status=refusal.status, body={**common, **refusal.extra})
