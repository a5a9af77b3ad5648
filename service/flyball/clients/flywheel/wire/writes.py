"""Requests that change metadata: tags, notes, info."""

from __future__ import annotations

from typing import Any

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.flywheel.wire.reads import JSON_BODY


def add_tag(level: str, id_: str, tag: str) -> Request:
    """Adds one tag to a container or analysis; 409 when it is there (live19)."""
    path, template = address(level, id_, "tags")
    body = to_json({"value": tag})
    return Request("POST", path, headers=(JSON_BODY,), body=body, does=Does.ADD, template=template)


def remove_tag(level: str, id_: str, tag: str) -> Request:
    """Takes one tag off a container or analysis; an absent one is 200 (live19) or 404.

    A tag that would change the address (`.`, `..`) travels in the body instead.
    """
    if tag in (".", ".."):
        path, template = address(level, id_, "tags")
        return Request("DELETE", path, headers=(JSON_BODY,), body=to_json([tag]), does=Does.SET, template=template)
    path, template = address(level, id_, "tags", f"{{tag}}={tag}")
    return Request("DELETE", path, headers=(JSON_BODY,), does=Does.SET, template=template)


def add_file_tags(file_id: str, tags: tuple[str, ...]) -> Request:
    """Adds tags to a file; those that are there stay (SDK 23 wire)."""
    path, template = address("file", file_id, "tags")
    body = to_json(list(tags))
    return Request("PATCH", path, headers=(JSON_BODY,), body=body, does=Does.SET, template=template)


def remove_file_tags(file_id: str, tags: tuple[str, ...]) -> Request:
    """Takes tags off a file. The official SDK reads and rewrites the whole list instead, which is a race."""
    path, template = address("file", file_id, "tags")
    body = to_json(list(tags))
    return Request("DELETE", path, headers=(JSON_BODY,), body=body, does=Does.SET, template=template)


def add_note(level: str, id_: str, text: str) -> Request:
    """Adds a note; a repetition adds another one."""
    path, template = address(level, id_, "notes")
    body = to_json({"text": text})
    return Request("POST", path, headers=(JSON_BODY,), body=body, does=Does.CREATE, template=template)


def change_info(
    level: str, id_: str, change: dict[str, Any], *, file_name: str | None = None, method: str = "PATCH"
) -> Request:
    """Changes `info` of a container, an analysis or, with `file_name`, of a file on it.

    Args:
        level: the container's level.
        id_: its id.
        file_name: a file on it.
        change: `{"set": {…}}` (top-level keys replaced whole), `{"replace": {…}}` or `{"delete": [keys]}`.
        method: `PATCH`; `POST` for sites of 2019, which answer 501 to PATCH (live19).
    """
    below = ("info",) if file_name is None else ("files", f"{{name}}={file_name}", "info")
    path, template = address(level, id_, *below)
    return Request(method, path, headers=(JSON_BODY,), body=to_json(change), does=Does.SET, template=template)


def change_file_info(file_id: str, change: dict[str, Any]) -> Request:
    """Changes `info` of a file by its id."""
    path, template = address("file", file_id, "info")
    return Request("PATCH", path, headers=(JSON_BODY,), body=to_json(change), does=Does.SET, template=template)
