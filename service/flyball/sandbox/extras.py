"""Files that a scenario describes one by one: text, tables, archives, or only a size, with their metadata."""

import csv
import io
from typing import Any

from flyball.sandbox.files import WRITABLE, find_file, put_file
from flyball.sandbox.outputs import archive_of
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_CONTENT = {"text", "rows", "members"}
_KEYS = (WRITABLE - {"name"}) | _CONTENT | {"name", "acquisition"}


class ExtraError(ValueError):
    """A file of a scenario that cannot be made; the message says why."""


def add_files(site: Site, level: str, doc: Doc, specs: list[Doc]) -> None:
    """Add files to a container, or new versions of those that it has.

    Args:
        site: the site.
        level: the container's level.
        doc: the container.
        specs: each `name`, then `text` (as it is), `rows` (a list of lists, written as CSV or TSV),
            `members` (of a zip: name to text) or `size`; and type, modality, classification, info, tags.
            On a session, `acquisition` names the acquisition that gets the file.

    Raises:
        ExtraError: an unknown key, or an acquisition that is not there.
    """
    for spec in specs:
        unknown = set(spec) - _KEYS
        if unknown or "name" not in spec:
            raise ExtraError(f"file {spec.get('name')!r}: unknown keys {sorted(unknown)}; there are {sorted(_KEYS)}")
        place, holder = (level, doc) if "acquisition" not in spec else _acquisition(site, doc, spec["acquisition"])
        meta = {k: v for k, v in spec.items() if k in WRITABLE - {"name"}}
        old = find_file(site, holder, spec["name"])
        put_file(site, place, holder, spec["name"], content=content_of_spec(spec), preserve=old is not None, **meta)


def _acquisition(site: Site, session: Doc, label: str) -> tuple[str, Doc]:
    found = next((a for a in site.acquisitions.below(("session", session["_id"])) if a["label"] == label), None)
    if found is None:
        raise ExtraError(f"session {session.get('label')!r} has no acquisition {label!r}")
    return "acquisition", found


def content_of_spec(spec: Doc) -> bytes | None:
    """The bytes that a description asks for; None when they are to be made up."""
    if "text" in spec:
        return str(spec["text"]).encode()
    if "members" in spec:
        return archive_of({str(name): str(text) for name, text in spec["members"].items()})
    if "rows" in spec:
        return _table(spec["rows"], "excel-tab" if str(spec["name"]).endswith(".tsv") else "excel")
    return None


def _table(rows: list[list[Any]], dialect: str) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out, dialect=dialect).writerows(rows)
    return out.getvalue().encode()
