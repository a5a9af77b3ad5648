"""Requests that make containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import plural
from flyball.clients.flywheel.wire.reads import JSON_BODY

SUBJECTS: Final = ("X-Accept-Feature", "Safe-Redirect,multipart_signed_url,subject-container")
"""Sites of 2019 take a subject's label only from clients that say so (live19)."""


def make_container(level: str, body: Mapping[str, Any]) -> Request:
    """A new container; the answer's `_id` is its id. Labels are unique for the subjects of a project alone (live19)."""
    path = f"/{plural(level)}"
    headers = (JSON_BODY, SUBJECTS) if level == "subject" else (JSON_BODY,)
    return Request("POST", path, headers=headers, body=to_json(dict(body)), does=Does.CREATE, template=path)
