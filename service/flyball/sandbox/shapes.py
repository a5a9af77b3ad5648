"""Answer shapes: what a list shows, what only a single GET adds, and how the dialects differ.

Lists hide `info` (they show `{}` and `info_exists`) unless asked; single GETs show it together with
the analyses and their jobs. Documents are never altered: every function returns a new outer dict.
"""

from dataclasses import dataclass
from typing import Any

from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_NEW_FILE_FIELDS = frozenset({"file_id", "version", "parent_ref", "parents", "revision"})
_HIDDEN_SUBJECT = ("firstname", "lastname", "sex", "race", "ethnicity")
_EMPTY_ON_ANALYSES = ("files", "notes", "tags", "info")
_ADMIN_ROLES = {"admin": ["5e7400000000000000000001"], "rw": ["5e7400000000000000000002"]}
_READ_ROLES = ["5e7400000000000000000003"]
_PROVIDER = "5d6f0000000000000000f11e"


@dataclass(frozen=True, slots=True)
class Look:
    """How an answer is to look: the request's parameters that bear on shapes."""

    single: bool = False
    info: bool = False
    inflate_job: bool = False
    slim: bool = False
    """Without analyses (feature `slim-containers`)."""
    exclude_files: bool = False


def container(site: Site, level: str, doc: Doc, look: Look) -> Doc:
    """A container as an answer shows it."""
    if level == "analysis":
        return analysis(site, doc, look)
    if level == "group":
        return _group(site, doc)
    speech = site.speech
    full = look.single or look.info
    shown = dict(doc)
    shown["files"] = [file(site, f, info=full) for f in doc["files"]]
    if not full:
        shown["info"] = {}
    if not look.single or speech.file_fields:
        shown["info_exists"] = bool(doc["info"])
    if look.single and not look.slim:
        inflated = Look(single=True, inflate_job=True)
        shown["analyses"] = [analysis(site, a, inflated) for a in site.analyses.below(("parent", doc["_id"]))]
    if look.exclude_files:
        del shown["files"]
    if level == "session":
        shown["subject"] = _session_subject(site, doc, look)
    if not look.single and not speech.tags_in_lists:
        _hide(level, shown)
    if not speech.file_fields:
        del shown["revision"]
    if level == "collection":
        del shown["parents"]
        return shown
    shown["permissions"] = permissions(site, level, doc)
    return shown


def _hide(level: str, shown: Doc) -> None:
    """Drop what the 2019 lists did not show: dropped tags read `[]`, not absent (live19)."""
    if level in {"session", "acquisition"}:
        shown["tags"] = []
    if level == "session":
        shown.pop("age", None)
    if level == "acquisition":
        shown.pop("collections", None)
    if level == "subject":
        for name in _HIDDEN_SUBJECT:
            shown.pop(name, None)


def _group(site: Site, doc: Doc) -> Doc:
    shown = {**doc, "permissions": doc.get("permissions") or [], "editions": {"lab": False}}
    if not site.speech.file_fields:
        del shown["revision"]
    return shown


def _session_subject(site: Site, doc: Doc, look: Look) -> Doc:
    """The subject that is joined into its sessions."""
    subject = site.subjects.rows[doc["parents"]["subject"]]
    shown = {k: v for k, v in subject.items() if k not in {"files", "notes", "tags", "revision"}}
    if not (look.single or look.info):
        shown["info"] = {}
    if not look.single or site.speech.file_fields:
        shown["info_exists"] = bool(subject["info"])
    if not look.single and not site.speech.tags_in_lists:
        for name in _HIDDEN_SUBJECT:
            shown.pop(name, None)
    if look.single and doc.get("age") is not None:
        shown["age"] = doc["age"]
    shown["permissions"] = permissions(site, "subject", subject)
    return shown


def permissions(site: Site, level: str, doc: Doc) -> list[Doc]:
    """The permissions of the container's project, as access levels or as roles."""
    project = site.projects.rows.get(site.project_of(level, doc) or "")
    own: list[Doc] = project["permissions"] if project else []
    if not site.speech.role_permissions:
        return own
    return [with_roles(p) for p in own]


def with_roles(entry: Doc) -> Doc:
    """A permission as a recent site shows it."""
    return {"_id": entry["_id"], "role_ids": _ADMIN_ROLES.get(entry["access"], _READ_ROLES)}


def access_of_roles(role_ids: list[str]) -> str | None:
    """The access that roles give; the strongest of them."""
    held = {role["_id"]: access for role, access in zip(roles(), ("admin", "rw", "ro"), strict=True)}
    found = {held[own] for own in role_ids if own in held}
    return next((access for access in ("admin", "rw", "ro") if access in found), None)


def roles() -> list[Doc]:
    """The roles that every site has, the strongest first."""
    ids = (*_ADMIN_ROLES["admin"], *_ADMIN_ROLES["rw"], *_READ_ROLES)
    known = (("admin", "Admin"), ("read-write", "Read-Write"), ("read-only", "Read-Only"))
    return [
        {"_id": own, "label": label, "default_flywheel_role": name, "actions": [], "in_use": True}
        for own, (name, label) in zip(ids, known, strict=True)
    ]


def file(site: Site, doc: Doc, *, info: bool) -> Doc:
    """A file inside a container or from `/files`."""
    if site.speech.file_fields:
        shown = {**doc, "provider_id": _PROVIDER, "client_hash": None, "zip_member_count": None, "deleted": None}
        shown.setdefault("replaced", None)
        shown["info_exists"] = bool(doc["info"])
        if not info:
            shown["info"] = {}
        return shown
    shown = {k: v for k, v in doc.items() if k not in _NEW_FILE_FIELDS}
    version: str = doc["_id"]
    shown |= {"provider_id": _PROVIDER, "path": f"{version[:2]}/{version[2:4]}/{version}"}
    if not info:
        shown["info"] = {}
        shown["info_exists"] = bool(doc["info"])
    return shown


def analysis(site: Site, doc: Doc, look: Look) -> Doc:
    """An analysis; `job` is its id, or the job itself when inflated (then `job_id` is the id)."""
    full = look.single or look.info
    shown = dict(doc)
    shown["inputs"] = [file(site, f, info=full) for f in doc["inputs"]]
    shown["files"] = [file(site, f, info=full) for f in doc["files"]]
    if look.exclude_files:
        del shown["files"]
    if not full:
        shown["info"] = {}
    if not site.speech.empty_fields:
        for name in _EMPTY_ON_ANALYSES:
            if not doc[name]:
                shown.pop(name, None)
        if not look.single:
            shown["info"] = {}
    if not look.single or site.speech.file_fields:
        shown["info_exists"] = bool(doc["info"])
    if not site.speech.file_fields:
        shown.pop("revision", None)
    if look.inflate_job and doc.get("job"):
        job = site.jobs.rows.get(doc["job"])
        if job is not None:
            shown["job"] = job_single(site, job)
            if site.speech.file_fields:
                shown["job_id"] = str(doc["job"])
    return shown


def job_row(site: Site, doc: Doc, *, own: bool = False) -> Doc:
    """A job in list form: `_id`, inputs as a list; the user's own jobs show more (live19)."""
    shown = _job(site, doc)
    if not own:
        del shown["produced_metadata"]
        shown["config"] = _config_without_info(doc["config"])
    if not shown["transitions"]:
        del shown["transitions"]
    return shown


def job_single(site: Site, doc: Doc) -> Doc:
    """A job in single form: `id` without underscore, inputs as a map."""
    shown = _job(site, doc)
    shown["id"] = shown.pop("_id")
    shown["inputs"] = {ref["input"]: {k: v for k, v in ref.items() if k != "input"} for ref in doc["inputs"]}
    return shown


def job_of_session(site: Site, doc: Doc) -> Doc:
    """A job as `/sessions/{id}/jobs` shows it: single form on a 2019 site, list form later."""
    if not site.speech.jobs_as_maps:
        return job_row(site, doc)
    return {**job_single(site, doc), "config": _config_without_info(doc["config"])}


def job_of_user(site: Site, doc: Doc) -> Doc:
    """A job as `/users/self/jobs` shows it: list form on a 2019 site, single form later (SDK 23 models)."""
    return job_row(site, doc, own=True) if site.speech.jobs_as_maps else job_single(site, doc)


def _config_without_info(config: Doc) -> Doc:
    """A job's config as lists show it: input files without their info (live19)."""
    inputs = {}
    for slot, value in config["inputs"].items():
        described = value.get("object")
        inputs[slot] = value
        if described is not None:
            inputs[slot] = {**value, "object": {k: v for k, v in described.items() if k != "info"}}
    return {**config, "inputs": inputs}


def _job(site: Site, doc: Doc) -> Doc:
    shown = dict(doc)
    del shown["revision"]
    if not site.speech.file_fields:
        shown["gear_info"] = {k: v for k, v in doc["gear_info"].items() if k != "id"}
        for name in ("priority", "previous_job_id"):
            if doc[name] in {None, "medium"}:
                del shown[name]
    return shown


def job_detail(site: Site, doc: Doc) -> Doc:
    """`/jobs/{id}/detail`: with labels of the parents and the records of inputs and outputs."""
    shown = job_single(site, doc)
    shown.pop("parents")
    shown.pop("saved_files")
    named: dict[str, Any] = {}
    for level, place in doc["parents"].items():
        above = site.table(level).rows.get(place)
        if above is not None:
            named[level] = {"_id": place, "label": above["label"]}
    shown["parent_info"] = named
    shown["inputs"] = {}
    for ref in doc["inputs"]:
        holder = site.table(ref["type"]).rows.get(ref["id"]) if "type" in ref else None
        record = next((f for f in holder["files"] if f["name"] == ref["name"]), None) if holder else None
        described = None if record is None else {k: v for k, v in file(site, record, info=False).items() if k != "info"}
        plain = {k: v for k, v in ref.items() if k != "input"}
        shown["inputs"][ref["input"]] = {"ref": plain, "object": described}
    destination = site.table(doc["destination"]["type"]).rows.get(doc["destination"]["id"])
    made = [f for f in destination["files"] if f["origin"].get("id") == str(doc["_id"])] if destination else []
    reference = doc["destination"]
    shown["outputs"] = [{"ref": {**reference, "name": f["name"]}, "object": file(site, f, info=False)} for f in made]
    return shown


def gear(doc: Doc) -> Doc:
    """A gear document."""
    return {k: v for k, v in doc.items() if k != "revision"}
