"""Reference pages out of JSON Schemas: what a key takes, what it is when left out, as Markdown tables. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]
_SECONDS = re.compile(r"([0-9]+)s")
_STEPS = ((86_400, "d"), (3_600, "h"), (60, "m"))


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a mapping, described.

    Attributes:
        takes: what may stand there, in words.
        default: what holds when it is left out; `required`, or empty for nothing.
    """

    name: str
    takes: str
    default: str
    description: str


def keys_of(schema: Json, titles: Mapping[str, str]) -> list[Key]:
    """The keys of a mapping.

    Args:
        schema: of the mapping.
        titles: name of a definition → title of the section that explains it.
    """
    required = schema.get("required", ())
    return [
        Key(
            name,
            takes(entry, titles),
            "required" if name in required else _default(entry),
            str(entry.get("description", "")),
        )
        for name, entry in schema.get("properties", {}).items()
    ]


def takes(schema: Json, titles: Mapping[str, str]) -> str:
    """What a schema allows, in words."""
    if "$ref" in schema:
        title = titles.get(str(schema["$ref"]).rsplit("/", 1)[-1])
        return "mapping" if title is None else f"[mapping](#{anchor(title)})"
    if _is_duration(schema):
        return "duration"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return _either(schema[key], titles)
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if "const" in schema:
        return f"`{schema['const']}`"
    kind = schema.get("type")
    if kind == "array":
        inner = takes(schema.get("items", {}), titles)
        return f"list of {inner}{'s' if inner.isalpha() else ''}"
    if kind == "object":
        return _mapping(schema, titles)
    if kind in ("integer", "number"):
        return _number(schema)
    if schema.get("description") == "An expression.":
        return "expression"
    if schema.get("format") == "password":
        return "secret"
    return {"string": "text", "boolean": "`true`, `false`"}.get(str(kind), "expression" if kind else "anything")


def table(keys: Iterable[Key]) -> list[str]:
    """The keys as lines of a Markdown table."""
    lines = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    for key in keys:
        default = key.default if key.default in ("", "required") else f"`{key.default}`"
        cells = (f"`{key.name}`", key.takes, default, key.description)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return lines


def anchor(title: str) -> str:
    """The address of a section within its page."""
    return re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-")


def code(text: str) -> list[str]:
    """A block of YAML."""
    return ["```yaml", *text.strip("\n").splitlines(), "```"]


def _is_duration(schema: Json) -> bool:
    return "1h30m" in schema.get("examples", ())


def _either(options: Iterable[Json], titles: Mapping[str, str]) -> str:
    kept = [option for option in options if option.get("type") != "null"]
    if len(kept) == 2 and kept[1].get("type") == "array" and kept[1].get("items") == kept[0]:
        return f"{takes(kept[0], titles)}; or a list of them"
    return " or ".join(dict.fromkeys(takes(option, titles) for option in kept))


def _mapping(schema: Json, titles: Mapping[str, str]) -> str:
    inner = next(iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties"))
    if not isinstance(inner, Mapping) or not inner:
        return "mapping"
    return f"mapping of names to {takes(inner, titles)}"


def _number(schema: Json) -> str:
    word = "whole number" if schema.get("type") == "integer" else "number"
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None and most is not None:
        return f"{word}, {least} to {most}"
    return word if least is None else f"{word}, at least {least}"


def _default(schema: Json) -> str:
    value = schema.get("default")
    if value is None or value in ({}, [], ""):
        return ""
    return _written(value)


def _written(value: Any) -> str:
    """A default as people write it: no quotes around words, durations in their largest unit."""
    if isinstance(value, list):
        return f"[{', '.join(_written(one) for one in value)}]"
    if not isinstance(value, str):
        return json.dumps(value)
    found = _SECONDS.fullmatch(value)
    seconds = int(found[1]) if found else 0
    step = next(((size, unit) for size, unit in _STEPS if seconds and seconds % size == 0), None)
    return f"{seconds // step[0]}{step[1]}" if step else value
