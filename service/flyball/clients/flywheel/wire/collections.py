"""Requests about collections."""

from __future__ import annotations

from collections.abc import Sequence

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.flywheel.wire.reads import JSON_BODY


def make_collection(label: str) -> Request:
    """A new collection; the answer's `_id` is its id. Labels are not unique: look for one first."""
    body = to_json({"label": label})
    return Request("POST", "/collections", headers=(JSON_BODY,), body=body, does=Does.CREATE, template="/collections")


def change_members(ident: str, operation: str, acquisitions: Sequence[str]) -> Request:
    """`add` or `remove` acquisitions: a set, so that a repetition changes nothing; unknown ids are skipped (live19)."""
    path, template = address("collection", ident)
    nodes = [{"_id": one, "level": "acquisition"} for one in acquisitions]
    body = to_json({"contents": {"operation": operation, "nodes": nodes}})
    return Request("PUT", path, headers=(JSON_BODY,), body=body, does=Does.SET, template=template)
