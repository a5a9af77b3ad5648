"""Launching gears: analyses with a job, and jobs alone.

The server checks exactly what the 2019 server checked (live19): an input key that the manifest does
not have is a 400, an absent file, container or gear a 404, a config value of the wrong type a 422.
A missing required input, a file of the wrong type and unknown config keys pass, and the job is
doomed. The same request twice makes two jobs.
"""

from typing import Any

from flyball.sandbox.errors import Refusal, invalid, listed, schema
from flyball.sandbox.files import by_file_id, find_file, version_of
from flyball.sandbox.ids import Oid, is_oid
from flyball.sandbox.jobs import PRIORITIES, enqueue, pace_of
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_PROVIDER = "5d6f0000000000000000c0de"


def launch_analysis(site: Site, level: str, container_id: str, body: Any, user_id: str) -> Doc:
    """`POST /{level}/{id}/analyses`: an analysis, with a job or with inputs of its own.

    Returns:
        The analysis.

    Raises:
        Refusal: see the module.
    """
    _check_body(site, body)
    parent = site.get(level, container_id)
    if "job" not in body:
        files = [_input_file(site, ref)[0] for ref in listed("inputs", body.get("inputs"), dict)]
        analysis = site.add_analysis(level, parent["_id"], body["label"], user=user_id)
        analysis["inputs"] = [dict(file) for file in files]
        _describe(analysis, body)
        return analysis
    request = body["job"]
    gear = gear_by_id(site, request.get("gear_id"))
    inputs = resolve_inputs(site, gear, request.get("inputs") or {})
    config = filled_config(gear, request.get("config") or {})
    analysis = site.add_analysis(level, parent["_id"], body["label"], user=user_id)
    _require_compute(site, gear, analysis["_id"], undo=analysis)
    _describe(analysis, body)
    parents = {**analysis["parents"], "analysis": analysis["_id"]}
    destination = {"type": "analysis", "id": str(analysis["_id"])}
    job = new_job(site, gear, inputs, config, destination, parents, user_id, request, extra_tags=["analysis"])
    analysis["inputs"] = [dict(file) for file, _ in inputs.values() if file is not None]
    analysis["job"] = job["_id"]
    analysis["gear_info"] = job["gear_info"]
    return analysis


def _check_body(site: Site, body: Any) -> None:
    """The strict schema of an analysis request (live19); v23 also takes `info` and `priority`."""
    if not isinstance(body, dict):
        raise schema("none", f"{body!r} is not of type 'object'")
    extras = site.speech.analysis_extras
    known = {"label", "description", "job", "inputs", "compute_provider_id"} | ({"info"} if extras else set())
    job_keys = {"gear_id", "inputs", "config", "tags", "destination", "compute_provider_id"}
    job_keys |= {"priority", "label"} if extras else set()
    if "label" not in body:
        raise schema("none", "'label' is a required property")
    job = body.get("job", {})
    fits = (
        set(body) <= known
        and isinstance(body["label"], str)
        and 1 <= len(body["label"]) <= 256
        and isinstance(job, dict)
        and set(job) <= job_keys
        and isinstance(job.get("inputs") or {}, dict)
        and all(isinstance(tag, str) for tag in job.get("tags") or [])
        and job.get("priority", "medium") in PRIORITIES
    )
    if not fits:
        text = repr(body)
        raise schema("none", f"{text[:120] + '…' if len(text) > 120 else text} is not valid")


def _describe(analysis: Doc, body: Doc) -> None:
    if body.get("description"):
        analysis["description"] = body["description"]
    if body.get("info"):
        analysis["info"] = body["info"]


def launch_job(site: Site, body: Any, user_id: str) -> Doc:
    """`POST /jobs/add`: a job without an analysis.

    Returns:
        The job.

    Raises:
        Refusal: see the module.
    """
    if not isinstance(body, dict) or not body.get("gear_id"):
        raise invalid(400, "Job must specify gear")
    gear = gear_by_id(site, body["gear_id"])
    if not isinstance(body.get("tags") or [], list):
        raise Refusal(500, "'unicode' object has no attribute 'append'")
    destination = body.get("destination")
    if destination and destination.get("type") == "analysis":
        raise invalid(400, "Cannot use analysis as destination for a job")
    inputs = resolve_inputs(site, gear, body.get("inputs") or {})
    if not destination:
        first = next((ref for file, ref in inputs.values() if file is not None), None)
        if first is None:
            raise invalid(400, "Must specify destination if gear has no inputs.")
        destination = {"type": first["type"], "id": first["id"]}
    config = filled_config(gear, body.get("config") or {})
    level, place = destination["type"], destination["id"]
    doc = site.table(level).rows.get(place) if level in {"project", "subject", "session", "acquisition"} else None
    if doc is None:
        raise Refusal(404, f"No such {level} {place} in database")
    _require_compute(site, gear, place)
    parents = {**doc["parents"], level: doc["_id"]}
    where = {"type": level, "id": str(place)}
    return new_job(site, gear, inputs, config, where, parents, user_id, body)


def _require_compute(site: Site, gear: Doc, place: str, undo: Doc | None = None) -> None:
    """Without a compute provider nothing runs (412), and no analysis is left behind (live19)."""
    if not pace_of(site).compute:
        if undo is not None:
            site.analyses.drop(undo["_id"])
        text = f"Cannot determine compute provider for job. gear={gear['_id']}, destination.id={place}"
        raise Refusal(412, text)


def gear_by_id(site: Site, gear_id: Any) -> Doc:
    """A gear by its id.

    Raises:
        Refusal: 404, or 500 for an id of the wrong form (live19).
    """
    if not is_oid(gear_id):
        text = f"'{gear_id}' is not a valid ObjectId, it must be a 12-byte input or a 24-character hex string"
        raise Refusal(500, text)
    gear = site.gears.rows.get(gear_id)
    if gear is None:
        raise Refusal(404, f"Cannot find gear {gear_id}")
    return gear


def newest_gears(site: Site, *, disabled: bool = False) -> list[Doc]:
    """The last created version of each gear, by name (live19)."""
    newest: dict[str, Doc] = {}
    for gear in site.gears.rows.values():
        name = gear["gear"]["name"]
        if (disabled or not gear.get("disabled")) and (name not in newest or _age(gear) >= _age(newest[name])):
            newest[name] = gear
    return [newest[name] for name in sorted(newest)]


def _age(gear: Doc) -> tuple[Any, str]:
    return gear["created"], gear["_id"]


def resolve_inputs(site: Site, gear: Doc, inputs: dict[str, Any]) -> dict[str, tuple[Doc | None, Doc]]:
    """Each input slot with the file's record (None for a context) and the reference to store."""
    manifest = gear["gear"]["inputs"]
    resolved: dict[str, tuple[Doc | None, Doc]] = {}
    for slot, ref in inputs.items():
        if slot not in manifest:
            raise invalid(400, f"Job input {slot} is not listed in gear manifest")
        if isinstance(ref, dict) and ref.get("base") in {"context", "api-key"}:
            resolved[slot] = (None, ref)
        else:
            resolved[slot] = _input_file(site, ref)
    return resolved


def _input_file(site: Site, ref: Any) -> tuple[Doc, Doc]:
    if not isinstance(ref, dict):
        raise schema("inputs", f"{ref!r} is not of type 'object'")
    if "file_id" in ref:
        file = version_of(site, by_file_id(site, ref["file_id"]), ref.get("version"))
        parent = file["parent_ref"]
        return file, {"type": parent["type"], "id": str(parent["id"]), "name": file["name"]}
    level, place, name = ref.get("type"), str(ref.get("id")), ref.get("name")
    known = level in {"project", "subject", "session", "acquisition", "analysis", "collection"}
    doc = site.table(str(level)).rows.get(place) if known else None
    if doc is None:
        raise Refusal(404, f"No such {level} {place} in database")
    found = find_file(site, doc, str(name))
    if found is None:
        raise Refusal(404, f"No such file {name} on {level} {place} in database")
    return found, {"type": level, "id": place, "name": name}


def filled_config(gear: Doc, given: dict[str, Any]) -> dict[str, Any]:
    """The config with the manifest's defaults.

    Raises:
        Refusal: 422 for a value that the manifest does not allow (live19).
    """
    manifest: dict[str, Any] = gear["gear"]["config"]
    for key, value in given.items():
        error = _config_error(value, manifest.get(key) or {})
        if error:
            reason = "config did not match manifest"
            raise invalid(422, f"{reason} on key '{key}': {error}.", key=key, error=error, reason=reason)
    return {k: spec["default"] for k, spec in manifest.items() if "default" in spec} | given


def _config_error(value: Any, spec: dict[str, Any]) -> str | None:
    types = _TYPES.get(spec.get("type", ""))
    if types and (not isinstance(value, types) or (isinstance(value, bool) and bool not in types)):
        return f"{value!r} is not of type '{spec['type']}'"
    if "enum" in spec and value not in spec["enum"]:
        return f"{value!r} is not one of {spec['enum']!r}"
    if "minimum" in spec and value < spec["minimum"]:
        return f"{value!r} is less than the minimum of {spec['minimum']!r}"
    if "maximum" in spec and value > spec["maximum"]:
        return f"{value!r} is greater than the maximum of {spec['maximum']!r}"
    return None


def new_job(
    site: Site,
    gear: Doc,
    inputs: dict[str, tuple[Doc | None, Doc]],
    config: dict[str, Any],
    destination: Doc,
    parents: Doc,
    user_id: str | None,
    request: Doc,
    extra_tags: list[str] | None = None,
) -> Doc:
    """Store a pending job; `user_id` None is a job that the site's own rules start."""
    name = gear["gear"]["name"]
    files = [file for file, _ in inputs.values() if file is not None]
    tags = {*(request.get("tags") or []), name, *(extra_tags or [])}
    related = {str(place) for place in parents.values()}
    for file in files:
        related |= {str(place) for place in file["parents"].values()}
    job: Doc = {
        "_id": site.ids.oid(site.now),
        "gear_id": str(gear["_id"]),
        "gear_info": {
            "id": str(gear["_id"]),
            "category": gear["category"],
            "name": name,
            "version": gear["gear"]["version"],
            "capabilities": [],
        },
        "state": "pending",
        "tags": sorted(tags, key=str),
        "priority": request.get("priority") or "medium",
        "label": request.get("label") or "",
        "attempt": 1,
        "previous_job_id": None,
        "origin": {"type": "user", "id": user_id} if user_id else {"type": "system", "id": None},
        "destination": destination,
        "parents": parents,
        "related_container_ids": sorted(related),
        "inputs": [{"input": slot, **ref} for slot, (_, ref) in inputs.items()],
        "config": {"config": config, "inputs": _config_inputs(inputs), "destination": destination},
        "batch": None,
        "compute_provider_id": _PROVIDER,
        "profile": {"total_input_files": len(files), "total_input_size_bytes": sum(f["size"] for f in files)},
        "saved_files": [],
        "produced_metadata": {},
        "transitions": {"pending": site.now} if site.speech.scheduled_state else {},
        "created": site.now,
        "modified": site.now,
        "revision": 1,
    }
    return enqueue(site, job)


def _config_inputs(inputs: dict[str, tuple[Doc | None, Doc]]) -> Doc:
    """The inputs as `config.json` describes them."""
    described: Doc = {}
    for slot, (file, ref) in inputs.items():
        if file is None:
            described[slot] = ref
            continue
        described[slot] = {
            "base": "file",
            "hierarchy": {"type": ref["type"], "id": ref["id"]},
            "location": {"path": f"/flywheel/v0/input/{slot}/{ref['name']}", "name": ref["name"]},
            "object": {
                **{k: file[k] for k in ("info", "mimetype", "classification", "tags", "type", "modality", "size")},
                "measurements": [v for values in file["classification"].values() for v in values],
            },
        }
    return described


def rule_job(site: Site, gear_name: str, slot: str, level: str, doc: Doc, file: Doc) -> Doc | None:
    """A job that the site's own gear rules start for a file (tags `auto`, origin `system`; live19)."""
    gear = next((g for g in newest_gears(site) if g["gear"]["name"] == gear_name), None)
    if gear is None:
        return None
    ref = {"type": level, "id": str(doc["_id"]), "name": file["name"]}
    parents = {**doc["parents"], level: Oid(doc["_id"])}
    where = {"type": level, "id": str(doc["_id"])}
    config = filled_config(gear, {})
    return new_job(site, gear, {slot: (file, ref)}, config, where, parents, None, {}, extra_tags=["auto"])
