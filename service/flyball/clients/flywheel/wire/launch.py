"""Requests that run gears and steer jobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flyball.clients.exchange import Does, Request, to_json
from flyball.clients.flywheel.wire.levels import address
from flyball.clients.flywheel.wire.reads import JSON_BODY


def job_body(
    *,
    gear_id: str,
    inputs: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Any],
    tags: Sequence[str],
    destination: tuple[str, str] | None = None,
    priority: str | None = None,
) -> dict[str, Any]:
    """The body of a job.

    Args:
        gear_id: of one version of the gear.
        inputs: slot → file, by the `type` and `id` of its container and its `name`; other fields are not sent.
        config: as the manifest has it.
        tags: the job's.
        destination: level and id of a container, no analysis (400, live19); None: the address of the request says it.
        priority: None: the site's own default.
    """
    body: dict[str, Any] = {
        "gear_id": gear_id,
        "inputs": {slot: {key: file[key] for key in ("type", "id", "name")} for slot, file in inputs.items()},
        "config": dict(config),
        "tags": list(tags),
    }
    if priority is not None:
        body["priority"] = priority
    if destination is not None:
        body["destination"] = {"type": destination[0], "id": destination[1]}
    return body


def analysis_body(label: str, job: Mapping[str, Any], info: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The body of an analysis with its job; `label` has 1 to 256 characters (live19)."""
    return {"label": label, **({} if info is None else {"info": info}), "job": job}


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
