"""Batches of jobs: proposed, looked at, run, cancelled; and what the site suggests as inputs of a gear."""

from collections.abc import Callable

from flyball.sandbox import batches, jobs, shapes
from flyball.sandbox.access import level_of_access, require
from flyball.sandbox.api.call import Addresses, Call, Reply
from flyball.sandbox.api.listing import reply_rows
from flyball.sandbox.errors import Refusal, invalid, mapped
from flyball.sandbox.launch import gear_by_id
from flyball.sandbox.shapes import Look
from flyball.sandbox.state import CHILDREN, PLURALS, SINGULARS
from flyball.sandbox.tables import Doc

_UNSHOWN = {"proposal", "revision"}


def _shown(call: Call, batch: Doc) -> Doc:
    plain = {k: v for k, v in batch.items() if k not in _UNSHOWN}
    return {**plain, "state": batches.state_of(call.site, batch)}


def _batch(call: Call) -> Doc:
    doc = call.site.batches.rows.get(call.args["bid"])
    if doc is None:
        raise Refusal(404, f"Batch job {call.args['bid']} not found.")
    if not call.user.admin and doc["origin"]["id"] != call.user.id:
        raise Refusal(403, f"User does not have permission to access batch {doc['_id']}")
    return doc


def _list(call: Call) -> Reply:
    def mine(doc: Doc) -> bool:
        return call.user.admin or bool(doc["origin"]["id"] == call.user.id)

    return reply_rows(call, "batch", call.site.batches, lambda doc: _shown(call, doc), only=mine)


def _get(call: Call) -> Reply:
    doc = _batch(call)
    shown = _shown(call, doc)
    if call.flag("jobs"):
        shown["jobs"] = [shapes.job_single(call.site, call.site.jobs.rows[own]) for own in doc["jobs"]]
    return Reply(body=shown)


def _propose(call: Call) -> Reply:
    body = call.json_map()
    if not body.get("gear_id") or not isinstance(body.get("targets"), list) or not body["targets"]:
        raise invalid(400, "A gear name and list of target containers is required.")

    def allowed(level: str, doc: Doc) -> bool:
        return level_of_access(call.site, call.user, call.site.project_of(level, doc)) in {"rw", "admin"}

    batch, found = batches.propose(call.site, body, call.user.id, allowed)
    if found["improper_permissions"] and not any(found[k] for k in ("matched", "ambiguous", "not_matched")):
        raise Refusal(403, "User does not have write access to targets.")
    stored = batch["_id"] in call.site.batches.rows
    shown = {k: v for k, v in batch.items() if k not in {*_UNSHOWN, "jobs"}} if stored else {}
    if "optional_input_policy" in batch:
        shown["optional_input_policy"] = batch["optional_input_policy"]
    for kind in ("matched", "ambiguous", "not_matched"):
        shown[kind] = [_container(call, doc) for doc in found[kind]]
    return Reply(body={**shown, "improper_permissions": found["improper_permissions"]})


def _container(call: Call, doc: Doc) -> Doc:
    """An acquisition as proposals show it; a reference stays one."""
    if "_id" not in doc:
        return doc
    shown = shapes.container(call.site, "acquisition", doc, Look(single=True, slim=True))
    return {k: v for k, v in shown.items() if k not in {"permissions", "collections"}}


def _propose_jobs(call: Call) -> Reply:
    given = call.json_map().get("jobs")
    if not isinstance(given, list) or not all(isinstance(job, dict) for job in given):
        raise invalid(400, "A list of jobs is required.")
    for number, job in enumerate(given):
        try:
            gear_by_id(call.site, job.get("gear_id"))
            for ref in [*mapped("inputs", job.get("inputs")).values(), job.get("destination") or {}]:
                if ref.get("type") in PLURALS:
                    require(call.site, call.user, ref["type"], call.site.get(ref["type"], str(ref.get("id"))), "GET")
        except Refusal as refusal:
            raise Refusal(refusal.status, f"Job {number}: {refusal.message}", **refusal.extra) from refusal
    batch = batches.propose_jobs(call.site, given, call.user.id)
    return Reply(body={k: v for k, v in batch.items() if k != "revision"})


def _run(call: Call) -> Reply:
    started = batches.run(call.site, _batch(call), call.user.id)
    return Reply(body=[shapes.job_single(call.site, job) for job in started])


def _cancel(call: Call) -> Reply:
    return Reply(body={"number_cancelled": batches.cancel(call.site, _batch(call), jobs.cancel)})


def _suggest(call: Call) -> Reply:
    """A container with its files, and for each of them the inputs of the gear that it fits."""
    gear = gear_by_id(call.site, call.args["gid"])
    plural, own = call.args["kind"], call.args["id"]
    if plural not in SINGULARS:
        raise invalid(400, f"unknown level {plural}")
    level = SINGULARS[plural]
    doc = call.site.get(level, own)
    require(call.site, call.user, level, doc, "GET")
    fitting = batches.suggested(gear, doc.get("files") or [])
    files = [
        {
            "name": file["name"],
            "file_id": file["file_id"],
            "version": file["version"],
            "suggested": {slot: file in found for slot, found in fitting.items()},
        }
        for file in doc.get("files") or []
    ]
    children: Doc = {}
    if level in CHILDREN:
        lower = CHILDREN[level]
        children[PLURALS[lower]] = [_reference(lower, d) for d in call.site.table(lower).below((level, own))]
    children["analyses"] = [_reference("analysis", d) for d in call.site.analyses.below(("parent", own))]
    above = [(name, call.site.table(name).rows[place]) for name, place in doc.get("parents", {}).items()]
    parents = [_reference(name, each) for name, each in above]
    body = {"_id": doc["_id"], "cont_type": level, "label": doc["label"], "parents": parents}
    return Reply(body={**body, "files": files, "children": children})


def _reference(level: str, doc: Doc) -> Doc:
    return {"_id": doc["_id"], "id": doc["_id"], "type": level, "cont_type": level, "label": doc["label"]}


_ROUTES: dict[tuple[str, str], Callable[[Call], Reply]] = {
    ("GET", "/batch"): _list,
    ("POST", "/batch"): _propose,
    ("POST", "/batch/jobs"): _propose_jobs,
    ("GET", "/batch/{bid}"): _get,
    ("POST", "/batch/{bid}/run"): _run,
    ("POST", "/batch/{bid}/cancel"): _cancel,
    ("GET", "/gears/{gid}/suggest/{kind}/{id}"): _suggest,
}


def routes(addresses: Addresses) -> None:
    """Register the addresses of batches."""
    for (method, pattern), handler in _ROUTES.items():
        addresses.add(method, pattern, handler)
