"""Batches: many jobs proposed at once and started later.

The site chooses the inputs: a container is matched when each input of the gear has just one file
that fits, ambiguous when one has several (K19).
"""

import re
from typing import Any

from flyball.sandbox.errors import invalid, listed, mapped
from flyball.sandbox.jobs import FINAL
from flyball.sandbox.launch import filled_config, gear_by_id, launch_analysis, launch_job
from flyball.sandbox.state import PLURALS, Site
from flyball.sandbox.tables import Doc

POLICIES = ("ignored", "flexible", "required")


def suggested(gear: Doc, files: list[Doc]) -> dict[str, list[Doc]]:
    """The files that fit each file input of a gear."""
    inputs = {slot: spec for slot, spec in gear["gear"]["inputs"].items() if spec.get("base") == "file"}
    return {slot: [file for file in files if fits_input(spec, file)] for slot, spec in inputs.items()}


def fits_input(spec: Doc, file: Doc) -> bool:
    """Whether a file is what an input asks for, by the manifest's rules for its fields."""
    for field in ("type", "name", "modality", "mimetype"):
        rule = spec.get(field) or {}
        value = file.get(field)
        if rule.get("enum") and value not in rule["enum"]:
            return False
        if rule.get("pattern") and (not isinstance(value, str) or re.search(rule["pattern"], value) is None):
            return False
    return True


def sort_out(gear: Doc, containers: list[Doc], policy: str) -> tuple[list[tuple[Doc, Doc]], list[Doc], list[Doc]]:
    """Matched containers with their inputs, ambiguous ones, and those that do not match."""
    matched: list[tuple[Doc, Doc]] = []
    ambiguous: list[Doc] = []
    unmatched: list[Doc] = []
    for container in containers:
        inputs: Doc = {}
        several = lacks = False
        for slot, files in suggested(gear, container["files"]).items():
            optional = bool(gear["gear"]["inputs"][slot].get("optional"))
            if optional and policy == "ignored":
                continue
            several = several or len(files) > 1
            lacks = lacks or (not files and (policy == "required" or not optional))
            if files:
                inputs[slot] = {"type": "acquisition", "id": str(container["_id"]), "name": files[0]["name"]}
        if lacks:
            unmatched.append(container)
        elif several:
            ambiguous.append(container)
        else:
            matched.append((container, inputs))
    return matched, ambiguous, unmatched


def propose(site: Site, body: Doc, user: str, allowed: Any) -> tuple[Doc, dict[str, Any]]:
    """A proposal, stored when something matched.

    Args:
        site: the site.
        body: the request: gear_id, targets, config, tags, analysis, optional_input_policy.
        user: who asks.
        allowed: tells whether the user may write to a container.

    Returns:
        The batch, and the containers by how they matched (matched ones as references when the gear
        takes no files).
    """
    gear = gear_by_id(site, body.get("gear_id"))
    config = mapped("config", body.get("config"))
    listed("tags", body.get("tags"))
    mapped("analysis", body.get("analysis"))
    filled_config(gear, config)
    policy = body.get("optional_input_policy")
    inputs = gear["gear"]["inputs"]
    if any(spec.get("optional") for spec in inputs.values()) and policy not in POLICIES:
        raise invalid(400, "Gear has optional inputs but no policy on optional inputs was given, will not run!")
    takes_files = any(spec.get("base") == "file" for spec in inputs.values())
    level = "acquisition" if takes_files else "session"
    containers = _targets(site, body["targets"], level)
    mine = [doc for doc in containers if allowed(level, doc)]
    found: dict[str, Any] = {"not_matched": [], "ambiguous": [], "matched": []}
    found["improper_permissions"] = [str(doc["_id"]) for doc in containers if doc not in mine]
    jobs: list[Doc] = []
    if takes_files:
        matched, found["ambiguous"], found["not_matched"] = sort_out(gear, mine, policy or "ignored")
        found["matched"] = [doc for doc, _ in matched]
        jobs = [
            {"inputs": refs, "destination": {"type": "acquisition", "id": str(doc["_id"])}} for doc, refs in matched
        ]
    else:
        found["matched"] = [{"type": "session", "id": str(doc["_id"])} for doc in mine]
        jobs = [{"inputs": {}, "destination": ref} for ref in found["matched"]]
    proposal = {k: body.get(k) for k in ("analysis", "tags", "priority")} | {"jobs": jobs}
    batch = _new(site, user, {"gear_id": str(gear["_id"]), "config": config, "proposal": proposal})
    if policy:
        batch["optional_input_policy"] = policy
    if jobs:
        site.batches.add(batch)
    return batch, found


def propose_jobs(site: Site, jobs: list[Doc], user: str) -> Doc:
    """A proposal of jobs that are ready made."""
    return site.batches.add(_new(site, user, {"proposal": {"preconstructed_jobs": jobs}}))


def _new(site: Site, user: str, fields: Doc) -> Doc:
    batch: Doc = {"_id": site.ids.oid(site.now), "state": "pending", "origin": {"type": "user", "id": user}}
    return {**batch, "jobs": [], "created": site.now, "modified": site.now, "revision": 1, **fields}


def _targets(site: Site, targets: list[Doc], level: str) -> list[Doc]:
    """The acquisitions (or sessions) of the targets, each once.

    Raises:
        Refusal: 400 for targets of several kinds, 404 when there are none.
    """
    listed("targets", targets, dict)
    kinds = {str(target.get("type")) for target in targets}
    if len(kinds) > 1:
        raise invalid(400, "targets must all be of same type.")
    kind = kinds.pop()
    if kind not in PLURALS or kind in {"analysis", "collection"}:
        raise invalid(400, f"targets cannot be of type {kind}")
    found: dict[str, Doc] = {}
    for target in targets:
        doc = site.get(kind, str(target.get("id")))
        if kind == level:
            below = [doc]
        elif kind == "acquisition":
            below = [site.get("session", doc["session"])]
        else:
            below = site.table(level).below((kind, doc["_id"]))
        found |= {each["_id"]: each for each in below}
    if not found:
        raise invalid(404, "Could not find necessary containers from targets.")
    return list(found.values())


def run(site: Site, batch: Doc, user: str) -> list[Doc]:
    """Start the jobs of a pending batch.

    Raises:
        Refusal: 400 when it is not pending.
    """
    if batch["state"] != "pending":
        raise invalid(400, "Can only run pending batch jobs.")
    proposal = batch["proposal"]
    if "preconstructed_jobs" in proposal:
        jobs = [launch_job(site, job, user) for job in proposal["preconstructed_jobs"]]
    else:
        jobs = [_start(site, batch, proposal, job, user) for job in proposal["jobs"]]
    for job in jobs:
        job["batch"] = str(batch["_id"])
    batch["state"] = "running"
    batch["jobs"] = [str(job["_id"]) for job in jobs]
    site.batches.moved(batch, site.now)
    return jobs


def _start(site: Site, batch: Doc, proposal: Doc, job: Doc, user: str) -> Doc:
    gear = gear_by_id(site, batch["gear_id"])
    tags = [*(proposal.get("tags") or []), "batch"]
    request: Doc = {"gear_id": batch["gear_id"], "config": batch["config"], "inputs": job["inputs"], "tags": tags}
    if proposal.get("priority"):
        request["priority"] = proposal["priority"]
    place = job["destination"]
    if gear["category"] != "analysis":
        return launch_job(site, {**request, "destination": place}, user)
    doc = site.get(place["type"], place["id"])
    session = doc["session"] if place["type"] == "acquisition" else doc["_id"]
    given = proposal.get("analysis") or {}
    label = given.get("label") or f"{gear['gear']['name']} {site.now:%Y-%m-%d %H:%M:%S}"
    described = {k: given[k] for k in ("description",) if given.get(k)}
    if not site.speech.analysis_extras:
        request.pop("priority", None)
    analysis = launch_analysis(site, "session", session, {"label": label, **described, "job": request}, user)
    return site.jobs.rows[analysis["job"]]


def cancel(site: Site, batch: Doc, cancel_job: Any) -> int:
    """Cancel what has not begun; gives the number of jobs.

    Raises:
        Refusal: 400 when the batch was not started.
    """
    if state_of(site, batch) != "running":
        raise invalid(400, "Can only cancel started batch jobs.")
    waiting = [job for own in batch["jobs"] if (job := site.jobs.rows.get(own)) and job["state"] == "pending"]
    for job in waiting:
        cancel_job(site, job)
    batch["state"] = "cancelled"
    site.batches.moved(batch, site.now)
    return len(waiting)


def state_of(site: Site, batch: Doc) -> str:
    """The state of a batch: over when all of its jobs are, failed when all of them failed."""
    if batch["state"] != "running":
        return str(batch["state"])
    states = [job["state"] for own in batch["jobs"] if (job := site.jobs.rows.get(own))]
    if not all(state in FINAL for state in states):
        return "running"
    return "failed" if states and all(state == "failed" for state in states) else "complete"
