"""JSON Schema of the settings, for editors."""

from __future__ import annotations

from typing import Any

from flyball.configfile.schema import Generator, without_null_defaults
from flyball.settings.model import Settings

_REFERENCE = {"type": "string", "pattern": r"^(env:[A-Za-z_][A-Za-z0-9_]*\??|file:.+)$"}


def settings_schema() -> dict[str, Any]:
    """The schema of `flyball.yaml`. Everywhere a reference (`env:NAME`, `file:/path`) may stand for a value."""
    schema: dict[str, Any] = without_null_defaults(Settings.model_json_schema(schema_generator=Generator))
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Flyball settings"
    for part in (schema, *schema.get("$defs", {}).values()):
        for key, entry in part.get("properties", {}).items():
            part["properties"][key] = _or_reference(entry)
    return schema


def _or_reference(entry: dict[str, Any]) -> dict[str, Any]:
    """A setting that is no text may still be written as a reference; a text without a pattern takes one as it is."""
    if "$ref" in entry or entry.get("type") in ("object", "array") or "const" in entry:
        return entry
    if entry.get("type") == "string" and not {"pattern", "enum"} & entry.keys():
        return entry
    outer: dict[str, Any] = {key: entry[key] for key in ("description", "default", "title") if key in entry}
    inner = {key: value for key, value in entry.items() if key not in outer}
    return {**outer, "anyOf": [inner, _REFERENCE]}
