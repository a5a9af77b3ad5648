"""Gears, launches, jobs and analyses."""

from flyball.sandbox import jobs, launch, shapes
from flyball.sandbox.access import level_of_access, require
from flyball.sandbox.api.call import EMPTY, Addresses, Call, Reply
from flyball.sandbox.api.listing import reply_rows
from flyball.sandbox.errors import Refusal, invalid, listed, not_found
from flyball.sandbox.ids import is_oid
from flyball.sandbox.state import SINGULARS
from flyball.sandbox.tables import Doc, Table

STATES = ("pending", "scheduled", "running", "failed", "complete", "cancelled")


def _gears(call: Call) -> Reply:
    """The newest version of each gear, by name; all of them with `all_versions=true`."""
    if not call.site.speech.gears_after_id:
        if "after_id" in call.query:
            raise Refusal(500, 'pagination "after_id" does not support sorting')
        if "skip" in call.query and "limit" not in call.query:
            raise Refusal(500, 'pagination "skip" without "limit" is not supported for pipelines')
    invalid_too = call.flag("include_invalid")
    if call.flag("all_versions"):
        kept = [g for g in call.site.gears.rows.values() if invalid_too or not g.get("disabled")]
    else:
        kept = launch.newest_gears(call.site, disabled=invalid_too)
    table = Table("_id", lambda _doc: ())
    for gear in kept:
        table.add(gear)
    if "sort" not in call.query and "after_id" not in call.query and not call.site.speech.gears_after_id:
        call.query["sort"] = ["gear.name"]
    return reply_rows(call, "gear", table, shapes.gear)


def _gear(call: Call) -> Reply:
    return Reply(body=shapes.gear(launch.gear_by_id(call.site, call.args["gid"])))


def _invocation(call: Call) -> Reply:
    """A JSON schema of config and inputs."""
    gear = launch.gear_by_id(call.site, call.args["gid"])["gear"]
    inputs = {slot: {"type": "object"} for slot, spec in gear["inputs"].items() if spec["base"] == "file"}
    required = [s for s in inputs if not gear["inputs"][s].get("optional")]
    return Reply(
        body={
            "title": f"Invocation manifest for {gear['label']}",
            "$schema": "http://json-schema.org/draft-04/schema#",
            "type": "object",
            "properties": {
                "config": {"type": "object", "properties": gear["config"]},
                "inputs": {"type": "object", "properties": inputs, "required": required},
            },
            "required": ["config", "inputs"],
        }
    )


def _launch_analysis(call: Call) -> Reply:
    level, doc = call.target()
    body = call.json()
    job = body.get("job") if isinstance(body, dict) else None
    _check_inputs(call, job)
    analysis = launch.launch_analysis(call.site, level, doc["_id"], body, call.user.id)
    return Reply(body={"_id": analysis["_id"]})


def _launch_job(call: Call) -> Reply:
    body = call.json()
    _check_inputs(call, body)
    if isinstance(body, dict):
        _check_place(call, body.get("destination"), "POST")
    return Reply(body={"_id": launch.launch_job(call.site, body, call.user.id)["_id"]})


def _check_inputs(call: Call, job: object) -> None:
    """Input files have to be readable for the user."""
    inputs = job.get("inputs") if isinstance(job, dict) else None
    for ref in inputs.values() if isinstance(inputs, dict) else ():
        _check_place(call, ref, "GET")


def _check_place(call: Call, ref: object, method: str) -> None:
    if isinstance(ref, dict) and ref.get("type") in SINGULARS.values():
        doc = call.site.table(ref["type"]).rows.get(str(ref.get("id")))
        if doc is not None:
            require(call.site, call.user, ref["type"], doc, method)


# Jobs


def _jobs(call: Call) -> Reply:
    """All jobs: for site admins, or for whoever sees them, by dialect."""
    if call.site.speech.jobs_admin_only and not call.user.admin:
        raise Refusal(403, "is_admin privilege required for action.")
    return reply_rows(call, "job", call.site.jobs, lambda doc: shapes.job_row(call.site, doc))


def _project_jobs(call: Call) -> Reply:
    call.args["c"] = "projects"
    _, project = call.target()
    if not call.site.speech.project_jobs:
        raise not_found()
    within = ("project", project["_id"])
    return reply_rows(call, "job", call.site.jobs, lambda doc: shapes.job_row(call.site, doc), within=within)


def _session_jobs(call: Call) -> Reply:
    """`{"jobs": […]}` of the session, its analyses and acquisitions; `states` and `tags` repeat."""
    call.args["c"] = "sessions"
    _, session = call.target()
    states, tags = set(call.query.get("states", [])), set(call.query.get("tags", []))

    def only(doc: Doc) -> bool:
        return (not states or doc["state"] in states) and (not tags or bool(tags & set(doc["tags"])))

    rows = reply_rows(
        call,
        "job",
        call.site.jobs,
        lambda doc: shapes.job_of_session(call.site, doc),
        within=("session", session["_id"]),
        only=only,
    )
    return Reply(body={"jobs": rows.body}) if isinstance(rows.body, list) else rows


def _own_jobs(call: Call) -> Reply:
    """The user's own jobs with counts by state; `gear` is a name (live19)."""
    gear = call.query.get("gear", [None])[-1]

    def only(doc: Doc) -> bool:
        return doc["origin"]["id"] == call.user.id and gear in {None, doc["gear_info"]["name"]}

    own = [doc for doc in call.site.jobs.rows.values() if only(doc)]
    rows = reply_rows(call, "job", call.site.jobs, lambda doc: shapes.job_of_user(call.site, doc), only=only).body
    shown = rows if isinstance(rows, list) else rows["results"]
    return Reply(body={"total": len(own), "jobs": shown, "stats": _counts(call, own)})


def _job(call: Call) -> Doc:
    own = call.args["jid"]
    if not is_oid(own):
        text = f"'{own}' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string"
        raise Refusal(500, text)
    doc = call.site.jobs.rows.get(own)
    if doc is None:
        raise Refusal(404, "Job not found")
    return doc


def _visible_job(call: Call) -> Doc:
    doc = _job(call)
    if level_of_access(call.site, call.user, doc["parents"].get("project")) is None:
        raise Refusal(403, f"User does not have permission to access job {doc['_id']}")
    return doc


def _admins_job(call: Call) -> Doc:
    """A job as only admins of a 2019 site may read it; others use `/detail` (live19)."""
    doc = _visible_job(call)
    if call.site.speech.jobs_admin_only and not call.user.admin:
        raise Refusal(403, f"User does not have permission to access job {doc['_id']}")
    return doc


def _get_job(call: Call) -> Reply:
    return Reply(body=shapes.job_single(call.site, _admins_job(call)))


def _detail(call: Call) -> Reply:
    return Reply(body=shapes.job_detail(call.site, _visible_job(call)))


def _config(call: Call) -> Reply:
    return Reply(body=_admins_job(call)["config"], content_type="application/octet-stream")


def _logs(call: Call) -> Reply:
    doc = _visible_job(call)
    return Reply(body={"_id": doc["_id"], "logs": call.site.logs.get(doc["_id"], [])})


def _stats(call: Call) -> Reply:
    if not call.user.admin:
        raise Refusal(403, "is_admin privilege required for action.")
    return Reply(body={"states": _counts(call, list(call.site.jobs.rows.values()))})


def _counts(call: Call, docs: list[Doc]) -> dict[str, int]:
    """How many jobs are in each state that the site knows."""
    known = [state for state in STATES if state != "scheduled" or call.site.speech.scheduled_state]
    return {state: sum(doc["state"] == state for doc in docs) for state in known}


def _change_state(call: Call) -> Reply:
    doc = _job(call)
    if not call.user.admin and doc["origin"]["id"] != call.user.id:
        raise Refusal(403, f"User does not have permission to access job {doc['_id']}")
    if call.json_map() != {"state": "cancelled"}:
        raise Refusal(403, "Only the state of a job can be changed, and only to cancelled")
    jobs.cancel(call.site, doc)
    # The 2019 server said nothing (live19); SDK 23 reads a result.
    return Reply(body={"modified": 1}) if call.site.speech.file_fields else EMPTY


def _retry(call: Call) -> Reply:
    doc = _visible_job(call)
    new = jobs.retry(call.site, doc, ignore_state=call.flag("ignoreState"))
    return Reply(body={"_id": new["_id"]})


def _priority(call: Call) -> Reply:
    body = call.json_map()
    if body.get("priority") not in jobs.PRIORITIES:
        raise invalid(400, f"unknown priority {body.get('priority')!r}")
    for own in listed("job_ids", body.get("job_ids")):
        doc = call.site.jobs.rows.get(own)
        if doc is not None and doc["state"] == "pending":
            doc["priority"] = body["priority"]
            call.site.jobs.moved(doc, call.site.now)
    return Reply(body={"modified": len(body.get("job_ids", []))})


def routes(addresses: Addresses) -> None:
    """Register the addresses of gears and jobs."""
    addresses.add("GET", "/gears", _gears)
    addresses.add("GET", "/gears/{gid}", _gear)
    addresses.add("GET", "/gears/{gid}/invocation", _invocation)
    levels = ("projects", "subjects", "sessions", "acquisitions", "containers")
    addresses.add("POST", "/{c}/{id}/analyses", _launch_analysis, only=levels)
    addresses.add("POST", "/jobs/add", _launch_job)
    addresses.add("GET", "/jobs", _jobs)
    addresses.add("GET", "/jobs/stats", _stats)
    addresses.add("PUT", "/jobs/priority", _priority)
    addresses.add("GET", "/projects/{id}/jobs", _project_jobs)
    addresses.add("GET", "/sessions/{id}/jobs", _session_jobs)
    addresses.add("GET", "/users/self/jobs", _own_jobs)
    addresses.add("GET", "/jobs/{jid}", _get_job)
    addresses.add("PUT", "/jobs/{jid}", _change_state)
    addresses.add("GET", "/jobs/{jid}/detail", _detail)
    addresses.add("GET", "/jobs/{jid}/config.json", _config)
    addresses.add("GET", "/jobs/{jid}/logs", _logs)
    addresses.add("POST", "/jobs/{jid}/retry", _retry)
