"""What answers hold: rows, nodes, jobs, ids. Differences between lists, single reads and releases end here."""

from __future__ import annotations

from typing import Any

from flyball.clients.exchange import from_json


class Misshapen(ValueError):  # noqa: N818 - reads as what the answer is
    """The answer is not of the shape that was asked for; the text says what it is instead."""


def document(body: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        Misshapen: it is something else.
    """
    value = _parsed(body)
    if not isinstance(value, dict):
        raise Misshapen(f"a JSON {_kind(value)} instead of an object")
    return value


def listed(body: bytes) -> list[dict[str, Any]]:
    """The rows of a list: bare, in a page object (`results`; `/files` always), or under `jobs`.

    Raises:
        Misshapen: there are none of these, or a row is no object.
    """
    value = _parsed(body)
    if isinstance(value, dict):
        value = next((value[key] for key in ("results", "jobs") if isinstance(value.get(key), list)), value)
    if not isinstance(value, list):
        raise Misshapen(f"a JSON {_kind(value)} instead of a list")
    if not all(isinstance(row, dict) for row in value):
        raise Misshapen("a list whose rows are no objects")
    return value


def texts(body: bytes) -> list[str]:
    """A list of texts (a file's tags)."""
    value = _parsed(body)
    if not isinstance(value, list):
        raise Misshapen(f"a JSON {_kind(value)} instead of a list")
    return [item for item in value if isinstance(item, str)]


def created_id(body: bytes) -> str:
    """The `_id` of what was created.

    Raises:
        Misshapen: there is none.
    """
    value = _parsed(body)
    for key in ("_id", "id"):
        if isinstance(value, dict) and isinstance(value.get(key), str) and value[key]:
            return str(value[key])
    raise Misshapen("no id of what was created")


def node(level: str, row: dict[str, Any], *, with_config: bool = False) -> dict[str, Any]:
    """A row with `id` for the identifier, whatever the site calls it; its files likewise. Changes the row in place.

    A file's identifier is its `file_id`, which is stable over versions; files of a site without file ids are known by
    container and name: `<container id>/<name>`. Jobs come in the one shape of `job`; an analysis' inflated job too.

    Args:
        level: the row's level; `container` takes it from the row's own `container_type`.
        row: as read.
        with_config: keep a job's gear config, which may hold licences.
    """
    if level == "container":
        level = str(row.get("container_type") or row.get("node_type") or level)
    if level == "job":
        return job(row, with_config=with_config)
    if level == "file":
        return _file(row)
    row["id"] = row.get("_id", row.get("id"))
    files = row.get("files")
    if isinstance(files, list):
        for entry in files:
            if isinstance(entry, dict):
                _file(entry, container=row["id"])
    if level == "analysis" and isinstance(row.get("job"), dict):
        row["job"] = job(row["job"], with_config=with_config)
    analyses = row.get("analyses")
    if isinstance(analyses, list):
        row["analyses"] = [
            node("analysis", item, with_config=with_config) for item in analyses if isinstance(item, dict)
        ]
    return row


def job(row: dict[str, Any], *, with_config: bool = False) -> dict[str, Any]:
    """A job in one shape: `id`, and `inputs` as a map from slot to reference.

    Lists have `_id` and a list of inputs, single reads `id` and a map, `/detail` a map of `{"ref", "object"}` and
    `parent_info` in place of `parents` (SDK 23, live19). Unless `with_config`, the values of the gear's config are
    dropped.
    """
    row = dict(row)
    row["id"] = row.pop("_id", None) or row.get("id")
    inputs = row.get("inputs")
    if isinstance(inputs, list):
        row["inputs"] = {
            str(item["input"]): {key: value for key, value in item.items() if key != "input"}
            for item in inputs
            if isinstance(item, dict) and "input" in item
        }
    elif isinstance(inputs, dict):
        row["inputs"] = {slot: _bare_reference(value) for slot, value in inputs.items()}
    else:
        row["inputs"] = {}
    above = row.pop("parent_info", None)
    if isinstance(above, dict) and not row.get("parents"):
        row["parents"] = {level: item.get("_id") for level, item in above.items() if isinstance(item, dict)}
    return row if with_config else without_config(row)


def without_config(row: dict[str, Any]) -> dict[str, Any]:
    """The job without the values of its gear's config: licences, keys, file info.

    What it reads and where it writes stay.

    `config` becomes `{"destination": {"type", "id"}, "inputs": {slot: {"base", "hierarchy", "location": {"name"}}}}`.
    """
    config = row.get("config")
    if config is None:
        return row
    row = dict(row)
    kept: dict[str, Any] = {}
    if isinstance(config, dict):
        destination = config.get("destination")
        if isinstance(destination, dict):
            kept["destination"] = {key: destination[key] for key in ("type", "id") if key in destination}
        inputs = config.get("inputs")
        if isinstance(inputs, dict):
            kept["inputs"] = {slot: _reference(value) for slot, value in inputs.items() if _is_file(value)}
    row["config"] = kept
    return row


def _file(entry: dict[str, Any], container: str | None = None) -> dict[str, Any]:
    if container is None:
        ref = entry.get("parent_ref")
        container = ref.get("id") if isinstance(ref, dict) else None
    entry["id"] = entry.get("file_id") or (f"{container}/{entry.get('name')}" if container else entry.get("_id"))
    return entry


def _bare_reference(value: Any) -> Any:
    return value["ref"] if isinstance(value, dict) and isinstance(value.get("ref"), dict) else value


def _is_file(value: Any) -> bool:
    return isinstance(value, dict) and value.get("base") == "file"


def _reference(value: dict[str, Any]) -> dict[str, Any]:
    location = value.get("location")
    name = location.get("name") if isinstance(location, dict) else None
    return {"base": "file", "hierarchy": value.get("hierarchy"), "location": {"name": name}}


def _parsed(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:
        raise Misshapen("no JSON" if body else "nothing") from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {dict: "object", list: "list", str: "text", bool: "truth value"}
    return kinds.get(type(value), "number")
