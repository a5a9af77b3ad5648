"""The site's own gear rules: jobs that start when a file arrives, or is said to be of another type (live19).

A rule fires on a file when all of `all`, any of `any` (if there are any) and none of `not` hold. Jobs
carry the tag `auto` and no user; the same file uploaded again starts the same job again.
"""

import re
from typing import Any

from flyball.sandbox.batches import fits_input
from flyball.sandbox.errors import invalid, listed, mapped, schema, unexpected
from flyball.sandbox.launch import filled_config, gear_by_id, new_job
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_KEYS = {"project_id", "gear_id", "role_id", "name", "config", "fixed_inputs", "priority", "auto_update", "any", "all"}
_KEYS |= {"not", "disabled", "compute_provider_id", "triggering_input", "tags", "_id"}
_CONDITIONS = {"file.type", "file.name", "file.modality", "file.classification", "file.tags", "file.parent_ref.type"}
_CONDITIONS |= {"container.has-type", "container.has-classification", "gear.name", "gear.version"}


def check_rule(site: Site, body: Doc, *, whole: bool) -> Doc:
    """The fields of a new or changed rule.

    Raises:
        Refusal: 400 for an unknown key, a missing one or an unknown condition; 404 for the gear.
    """
    unknown = set(body) - _KEYS
    if unknown:
        raise unexpected(min(unknown))
    for name in ("gear_id", "name") if whole else ():
        if not body.get(name):
            raise schema("none", f"{name!r} is a required property")
    if "gear_id" in body:
        gear = gear_by_id(site, body["gear_id"])
        filled_config(gear, mapped("config", body.get("config")))
    listed("tags", body.get("tags"))
    for group in ("any", "all", "not"):
        for condition in listed(group, body.get(group), dict):
            if condition.get("type") not in _CONDITIONS:
                raise invalid(400, f"{condition!r} is no condition of a rule")
    return {k: v for k, v in body.items() if k not in {"_id", "project_id"}}


def new_rule(site: Site, project: str, body: Doc, user: str) -> Doc:
    """Keep a rule; `project` is a project's id or `site`."""
    fields = check_rule(site, body, whole=True)
    doc: Doc = {
        "_id": site.ids.oid(site.now),
        "project_id": project,
        "config": {},
        "fixed_inputs": [],
        "any": [],
        "all": [],
        "not": [],
        "disabled": False,
        "auto_update": False,
        "priority": "medium",
        "tags": [],
        "last_modified_by": {"type": "user", "id": user},
        "created": site.now,
        "modified": site.now,
        "revision": 1,
        **fields,
    }
    return site.rules.add(doc)


def fire(site: Site, level: str, doc: Doc, file: Doc) -> list[Doc]:
    """Start the jobs of all rules that a file of a container meets; the jobs."""
    project = site.project_of(level, doc)
    rules = [r for r in site.rules.rows.values() if r["project_id"] == project and not r["disabled"]]
    return [job for rule in rules if _met(rule, level, doc, file) for job in _start(site, rule, level, doc, file)]


def _met(rule: Doc, level: str, doc: Doc, file: Doc) -> bool:
    def holds(condition: Doc) -> bool:
        return any(_fits(condition, value) for value in _values(condition["type"], level, doc, file))

    return (
        all(holds(condition) for condition in rule["all"])
        and (not rule["any"] or any(holds(condition) for condition in rule["any"]))
        and not any(holds(condition) for condition in rule["not"])
        and bool(rule["all"] or rule["any"])
    )


def _fits(condition: Doc, value: Any) -> bool:
    if not isinstance(value, str):
        return False
    wanted = str(condition.get("value"))
    if condition.get("regex"):
        try:
            return re.match(wanted, value, re.IGNORECASE) is not None
        except re.error:
            return False
    return value.lower() == wanted.lower()


def _values(kind: str, level: str, doc: Doc, file: Doc) -> list[Any]:
    match kind:
        case "file.classification":
            return [value for values in file["classification"].values() for value in values]
        case "file.tags":
            return list(file["tags"])
        case "file.parent_ref.type":
            return [level]
        case "container.has-type":
            return [other["type"] for other in doc["files"]]
        case "container.has-classification":
            return [v for other in doc["files"] for values in other["classification"].values() for v in values]
        case "gear.name" | "gear.version":
            return [(file.get("gear_info") or {}).get(kind.removeprefix("gear."))]
    return [file.get(kind.removeprefix("file."))]


def _start(site: Site, rule: Doc, level: str, doc: Doc, file: Doc) -> list[Doc]:
    gear = site.gears.rows.get(rule["gear_id"])
    if gear is None or level not in {"project", "subject", "session", "acquisition"}:
        return []
    slots = {slot: spec for slot, spec in gear["gear"]["inputs"].items() if spec.get("base") == "file"}
    slot = rule.get("triggering_input") or next((s for s, spec in slots.items() if fits_input(spec, file)), None)
    if slot is None:
        return []
    ref = {"type": level, "id": str(doc["_id"]), "name": file["name"]}
    where = {"type": level, "id": str(doc["_id"])}
    request = {"tags": rule["tags"], "priority": rule["priority"]}
    parents = {**doc["parents"], level: doc["_id"]}
    config = filled_config(gear, rule["config"])
    return [new_job(site, gear, {slot: (file, ref)}, config, where, parents, None, request, extra_tags=["auto"])]
