"""Requests about data views."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.clients.exchange import Does, Request, segment, to_json
from flyball.clients.flywheel.wire.reads import JSON_BODY

FORMS = {"csv": "csv", "json": "json-flat"}
"""What a table is saved as → the site's word; JSON is a list of rows."""

_NOT_OF_2019 = frozenset({"errorColumn", "sort", "filter", "label"})  # 400 (live19)


def queue_view(view: Mapping[str, Any], container: str) -> Request:
    """Begin to run a view on a container. It changes nothing but the site's own list of executions."""
    query = (("containerId", container),)
    return Request("POST", "/views/queue", query, (JSON_BODY,), to_json(view), Does.READ, "/views/queue")


def execution(ident: str) -> Request:
    """How far it is: `{"state": "queued"|"processing"|"completed"|"failed", …}`."""
    return Request("GET", f"/data_view_executions/{segment(ident)}", template="/data_view_executions/{id}")


def execution_data(ident: str, form: str) -> Request:
    """What it gave."""
    path = f"/data_view_executions/{segment(ident)}/data"
    query = (("file_format", FORMS[form]),)
    headers = (("Accept-Encoding", "identity"),)
    return Request("GET", path, query, headers, template="/data_view_executions/{id}/data")


def run_view(view: Mapping[str, Any], container: str, form: str) -> Request:
    """Run a view and wait for what it gives: for sites of 2019, without what they do not know."""
    plain = {key: value for key, value in view.items() if key not in _NOT_OF_2019}
    query = (("containerId", container), ("format", FORMS[form]))
    return Request("POST", "/views/data", query, (JSON_BODY,), to_json(plain), Does.READ, "/views/data")
