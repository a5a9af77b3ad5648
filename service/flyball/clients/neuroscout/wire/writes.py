"""Requests that change something, and the login."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flyball.clients.exchange import Does, Request, segment, to_json
from flyball.clients.neuroscout.wire.query import with_query

JSON = (("Content-Type", "application/json"),)
COMPILE_TIMEOUT = 90.0
"""Seconds. The first request after an outage of the server's task queue hangs until its worker is killed (120 s)."""

EDITABLE = ("name", "description", "predictions", "dataset_id", "model", "predictors", "runs", "private")
"""What a person or a program can set of an analysis; the server ignores all other keys in silence."""


def login(email: str, password: str) -> Request:
    """Ask for a token. It changes nothing, so it may be repeated."""
    body = to_json({"email": email, "password": password})
    return Request("POST", "/auth", headers=JSON, body=body, does=Does.READ, template="/auth", secrets=(password,))


def create_analysis(content: Mapping[str, Any]) -> Request:
    """Make an analysis with its whole content in one request. Two make two: names are not unique."""
    body = to_json(_settable(content))
    return Request("POST", "/analyses", headers=JSON, body=body, does=Does.CREATE, template="/analyses")


def update_analysis(ident: str, content: Mapping[str, Any]) -> Request:
    """Change an analysis: the keys given, of which `dataset_id` must be one.

    The server answers 200 also where it dropped what was sent: the answer must be compared. Without an answer nothing
    is known: it writes field by field, and some contents make it break off each time.
    """
    body = to_json(_settable(content))
    path = f"/analyses/{segment(ident)}"
    return Request("PUT", path, headers=JSON, body=body, does=Does.ADD, template="/analyses/{id}")


def delete_analysis(ident: str) -> Request:
    """Delete a draft, or one that failed; others are refused (422). The server breaks off where one has clones."""
    return Request("DELETE", f"/analyses/{segment(ident)}", does=Does.ADD, template="/analyses/{id}")


def compile_analysis(ident: str, *, build: bool = True) -> Request:
    """Put an analysis into the compile queue.

    With `build`, which the server does not do by itself, the model is run through pybids for each run: without it, a
    model that makes no sense passes. A repetition queues a second task, so it is sent once.
    """
    path = with_query(f"/analyses/{segment(ident)}/compile", build=build)
    template = "/analyses/{id}/compile"
    return Request("POST", path, headers=JSON, body=b"{}", does=Does.CREATE, template=template, timeout=COMPILE_TIMEOUT)


def report(ident: str) -> Request:
    """Ask for the reports of an analysis, of all its runs. Asking twice makes it twice, which harms nothing."""
    path = with_query(f"/analyses/{segment(ident)}/report", scale=False)
    return Request("POST", path, headers=JSON, body=b"{}", does=Does.SET, template="/analyses/{id}/report")


@dataclass(frozen=True, slots=True)
class EventsFile:
    """One events file of an upload: its name, its bytes, and the runs that it is about."""

    name: str
    content: bytes
    run_ids: Sequence[int]


def upload_collection(
    name: str, dataset_id: int, files: Sequence[EventsFile], descriptions: Mapping[str, str]
) -> Request:
    """Upload events files as a collection of predictors. Two make two collections, and none can be deleted.

    Files and runs are matched by their order, so each file's runs stand at the same place as the file.
    """
    fields = [("collection_name", name), ("dataset_id", str(dataset_id))]
    if descriptions:
        fields.append(("descriptions", to_json(dict(descriptions)).decode()))
    fields += [("runs", ",".join(map(str, file.run_ids))) for file in files]
    boundary = _boundary(name, files)
    pieces = [_part(boundary, f'form-data; name="{key}"', value.encode()) for key, value in fields]
    for file in files:
        disposition = f'form-data; name="event_files"; filename="{_plain(file.name)}"'
        pieces.append(_part(boundary, disposition, file.content, "text/tab-separated-values"))
    body = b"".join(pieces) + f"--{boundary}--\r\n".encode()
    headers = (("Content-Type", f"multipart/form-data; boundary={boundary}"),)
    path = "/predictors/collection"
    return Request("POST", path, headers=headers, body=body, does=Does.CREATE, template=path)


def _settable(content: Mapping[str, Any]) -> dict[str, Any]:
    """What can be set, without nulls: the server refuses them, although its own answers hold some."""
    return {key: content[key] for key in EDITABLE if content.get(key) is not None}


def _boundary(name: str, files: Sequence[EventsFile]) -> str:
    """A line that is in none of the files: made of their content, so that the same upload has the same bytes."""
    digest = hashlib.sha256(name.encode())
    for file in files:
        digest.update(file.content)
    return f"flyball-{digest.hexdigest()[:32]}"


def _part(boundary: str, disposition: str, value: bytes, kind: str | None = None) -> bytes:
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
    if kind is not None:
        head += f"Content-Type: {kind}\r\n"
    return head.encode() + b"\r\n" + value + b"\r\n"


def _plain(name: str) -> str:
    """A file name that cannot end its quotes, nor the line."""
    return name.replace("\\", "_").replace('"', "_").replace("\r", "_").replace("\n", "_")
