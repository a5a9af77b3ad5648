"""Tags, notes, info and attributes of containers, with what each write moves (live19).

A write moves the `modified` of its own container only, except that a session's PUT also moves its
subject and that file info moves the file and not its container. Values are replaced, never changed
in place, since documents share them.
"""

from datetime import UTC, datetime
from typing import Any

from flyball.sandbox.errors import Refusal, listed, mapped, schema, unexpected
from flyball.sandbox.maps import merged
from flyball.sandbox.state import PLURALS, Site
from flyball.sandbox.tables import Doc

_TEXT = (str,)
_NUMBER = (int, float)
WRITABLE: dict[str, dict[str, tuple[type, ...]]] = {
    "group": {"label": _TEXT},
    "project": {"label": _TEXT, "description": _TEXT, "group": _TEXT, "info": (dict,)},
    "subject": {
        **dict.fromkeys(("label", "code", "sex", "firstname", "lastname", "cohort", "type", "race"), _TEXT),
        **dict.fromkeys(("ethnicity", "species", "strain", "date_of_birth", "state", "mlset"), _TEXT),
        "info": (dict,),
    },
    "session": {
        **dict.fromkeys(("label", "uid", "timestamp", "timezone", "operator"), _TEXT),
        **dict.fromkeys(("age", "weight"), _NUMBER),
        "subject": (dict,),
        "info": (dict,),
    },
    "acquisition": {**dict.fromkeys(("label", "uid", "timestamp", "timezone"), _TEXT), "info": (dict,)},
    "analysis": {"label": _TEXT, "description": _TEXT},
    "collection": {"label": _TEXT, "description": _TEXT, "contents": (dict,), "info": (dict,)},
}


def check_fields(level: str, body: Any, *, more: dict[str, tuple[type, ...]] | None = None) -> Doc:
    """The body of a create or modify request, checked strictly, time stamps read.

    Raises:
        Refusal: 400 for an unknown key, a wrong type, a bad label or a time without a zone (live19).
    """
    if not isinstance(body, dict) or not body:
        raise schema("none", f"{body!r} does not have enough properties")
    allowed = WRITABLE[level] | (more or {})
    checked: Doc = {}
    key: str
    value: Any
    for key, value in body.items():
        if key not in allowed:
            raise unexpected(key)
        if value is None and key not in {"label", "group", "project", "subject", "session"}:
            checked[key] = None
            continue
        if isinstance(value, bool) or not isinstance(value, allowed[key]):
            raise schema(key, f"{value!r} is not of type {allowed[key][0].__name__!r}")
        checked[key] = _checked_text(key, value) if isinstance(value, str) else value
    if level == "subject" and "label" not in checked and "code" in checked:
        checked["label"] = checked["code"]
    if level == "session" and checked.get("age") is not None:
        checked["age"] = int(checked["age"])
    return checked


def _checked_text(key: str, text: str) -> Any:
    if key == "label" and not 1 <= len(text) <= 256:
        raise schema("label", f"{text!r} is too long" if text else "'' is too short")
    return read_time(text) if key == "timestamp" else text


def read_time(text: str) -> datetime:
    """A time stamp with its zone.

    Raises:
        Refusal: 400 without a zone (live19).
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise schema("timestamp", f"{text!r} is not a 'date-time'") from None
    if moment.tzinfo is None:
        raise schema("timestamp", f"{text!r} is not a 'date-time'")
    return moment.astimezone(UTC)


def modify(site: Site, level: str, doc: Doc, fields: Doc) -> None:
    """PUT on a container; `info` is merged level by level (live19)."""
    fields = dict(fields)
    if "info" in fields:
        doc["info"] = merged(doc["info"], clean(fields.pop("info")))
    subject = fields.pop("subject", None)
    fields.pop("contents", None)
    doc.update(fields)
    if level == "session":
        if subject is not None and subject.get("_id") not in {None, doc["parents"]["subject"]}:
            site.move_session(doc, site.get("subject", subject["_id"]))
        site.touch("subject", site.get("subject", doc["parents"]["subject"]))
    if level == "subject" and "label" in fields:
        doc["code"] = doc["label"]
    site.touch(level, doc)


def clean(info: Any) -> Any:
    """Info with `.` in keys turned to `_` and `$` to `-`, at every level (live19)."""
    if isinstance(info, dict):
        return {str(k).replace(".", "_").replace("$", "-"): clean(v) for k, v in info.items()}
    return [clean(v) for v in info] if isinstance(info, list) else info


def changed_info(info: Doc, body: Any) -> Doc:
    """Info after a `set` (top level), `replace` or `delete` request.

    Raises:
        Refusal: 400 for other keys, or `replace` together with another (live19).
    """
    known = isinstance(body, dict) and body and set(body) <= {"set", "replace", "delete"}
    if not known or ("replace" in body and len(body) > 1):
        raise schema("none", f"{body!r} is not valid under any of the given schemas")
    if "replace" in body:
        replaced: Doc = clean(mapped("replace", body["replace"]))
        return replaced
    result = {**info, **clean(mapped("set", body.get("set")))}
    for key in listed("delete", body.get("delete")):
        result.pop(clean({key: 0}).popitem()[0], None)
    return result


def change_info(site: Site, level: str, doc: Doc, body: Any) -> None:
    """Change a container's info."""
    doc["info"] = changed_info(doc["info"], body)
    site.touch(level, doc)


def change_file_info(site: Site, file: Doc, body: Any) -> None:
    """Change a file's info: the file moves, its container does not (live19)."""
    file["info"] = changed_info(file["info"], body)
    site.files.moved(file, site.now)


def check_tag(value: Any) -> str:
    """A container's tag: 1 to 32 characters, no slash.

    Raises:
        Refusal: 400 (live19).
    """
    if not isinstance(value, str):
        raise schema("value", f"{value!r} is not of type 'string'")
    if not value or "/" in value:
        raise schema("value", f"{value!r} does not match '^[^/]+$'")
    if len(value) > 32:
        raise schema("value", f"{value!r} is too long")
    return value


def add_tag(site: Site, level: str, doc: Doc, tag: Any) -> None:
    """Add one tag.

    Raises:
        Refusal: 409 when it is there (live19).
    """
    tag = check_tag(tag)
    if tag in doc["tags"]:
        raise Refusal(409, "Item already exists in list.")
    retag(site, level, doc, [*doc["tags"], tag])


def rename_tag(site: Site, level: str, doc: Doc, tag: str, new: Any) -> None:
    """Rename a tag.

    Raises:
        Refusal: 404 when it is absent or the new one is there (live19).
    """
    new = check_tag(new)
    if tag not in doc["tags"] or new in doc["tags"]:
        raise Refusal(404, f"Element not updated in list tags of container {PLURALS[level]} {doc['_id']}")
    retag(site, level, doc, [new if t == tag else t for t in doc["tags"]])


def delete_tag(site: Site, level: str, doc: Doc, tag: str) -> None:
    """Delete a tag; the container moves even when it was absent (live19)."""
    retag(site, level, doc, [t for t in doc["tags"] if t != tag])


def retag(site: Site, level: str, doc: Doc, tags: list[str]) -> None:
    """Set the tags of a container and move it."""
    site.table(level).retag(doc, tags)
    site.touch(level, doc)


def add_note(site: Site, level: str, doc: Doc, text: Any, user_id: str) -> Doc:
    """Add a note and give it back: `{_id, text, user, created, modified}`."""
    if not isinstance(text, str) or not text:
        raise schema("text", f"{text!r} is not of type 'string'")
    note: Doc = {"_id": site.ids.oid(site.now), "text": text, "user": user_id}
    note |= {"created": site.now, "modified": site.now}
    doc["notes"] = [*doc["notes"], note]
    site.touch(level, doc)
    return note


def change_note(site: Site, level: str, doc: Doc, note_id: str, text: str | None) -> None:
    """Set the text of a note, or delete it when there is none.

    Raises:
        Refusal: 404.
    """
    old = next((n for n in doc["notes"] if n["_id"] == note_id), None)
    if old is None:
        raise Refusal(404, f"Element not found in list notes of container {PLURALS[level]} {doc['_id']}")
    new = [] if text is None else [{**old, "text": text, "modified": site.now}]
    doc["notes"] = [kept for n in doc["notes"] for kept in (new if n is old else [n])]
    site.touch(level, doc)
