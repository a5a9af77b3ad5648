"""Requests that run gears and steer jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.flywheel.wire.reads import JSON_BODY


def file_ref(container_level: str, container_id: str, name: str) -> dict[str, str]:
    """An input: a file by container and name; outputs of an analysis have level `analysis`."""
    return {"type": container_level, "id": container_id, "name": name}


def analysis_body(
    *,
    label: str,
    gear_id: str,
    inputs: Mapping[str, Mapping[str, str]],
    config: Mapping[str, Any],
    tags: Sequence[str] = (),
    description: str = "",
    info: Mapping[str, Any] | None = None,
    priority: str = "medium",
) -> dict[str, Any]:
    """The body of an analysis launch; `label` has 1 to 256 characters (live19). The destination is the address."""
    body: dict[str, Any] = {"label": label}
    if description:
        body["description"] = description
    if info:
        body["info"] = dict(info)
    body["job"] = {
        "gear_id": gear_id,
        "inputs": {slot: dict(ref) for slot, ref in inputs.items()},
        "tags": list(tags),
        "priority": priority,
        "config": dict(config),
    }
    return body


def job_body(
    *,
    gear_id: str,
    inputs: Mapping[str, Mapping[str, str]],
    config: Mapping[str, Any],
    destination: tuple[str, str] | None = None,
    tags: Sequence[str] = (),
    priority: str = "medium",
    label: str = "",
) -> dict[str, Any]:
    """The body of a utility job; `destination` is level and id, no analysis (400, live19)."""
    body: dict[str, Any] = {"gear_id": gear_id, "inputs": {slot: dict(ref) for slot, ref in inputs.items()}}
    if destination is not None:
        body["destination"] = {"type": destination[0], "id": destination[1]}
    body |= {"tags": list(tags), "priority": priority, "config": dict(config)}
    if label:
        body["label"] = label
    return body


def of_2019(body: Mapping[str, Any]) -> dict[str, Any]:
    """An analysis body as sites of 2019 take it: without `info` and `job.priority` (400, live19)."""
    trimmed = {key: value for key, value in body.items() if key != "info"}
    if isinstance(body.get("job"), Mapping):
        trimmed["job"] = {key: value for key, value in body["job"].items() if key != "priority"}
    return trimmed


def run_analysis(level: str, id_: str, body: Mapping[str, Any]) -> Request:
    """Starts an analysis gear on a container. The answer's `_id` is the analysis' (live19, SDK 23 wire)."""
    path, template = address(level, id_, "analyses")
    return Request(
        "POST",
        path,
        (("job", "true"),),
        (JSON_BODY,),
        to_json(body),
        Does.CREATE,
        template,
        secrets=_config_texts(body.get("job")),
    )


def add_job(body: Mapping[str, Any]) -> Request:
    """Starts a utility or converter gear. The answer's `_id` is the job's."""
    return Request(
        "POST",
        "/jobs/add",
        headers=(JSON_BODY,),
        body=to_json(body),
        does=Does.CREATE,
        template="/jobs/add",
        secrets=_config_texts(body),
    )


def retry_job(job_id: str) -> Request:
    """Runs a failed job again as a new job with the same tags. The answer's `_id` is the new job's."""
    path, template = address("job", job_id, "retry")
    return Request("POST", path, headers=(JSON_BODY,), does=Does.CREATE, template=template)


def cancel_job(job_id: str) -> Request:
    """Cancels a job; 400 when it has ended (live19)."""
    path, template = address("job", job_id)
    body = to_json({"state": "cancelled"})
    return Request("PUT", path, headers=(JSON_BODY,), body=body, does=Does.SET, template=template)


def _config_texts(job: Any) -> tuple[str, ...]:
    """Texts of a job's config: they may be licences, and a site's complaint may repeat them."""
    config = job.get("config") if isinstance(job, Mapping) else None
    return tuple(value for value in config.values() if isinstance(value, str)) if isinstance(config, Mapping) else ()
