"""A checker of the part of JSON Schema that our schemas use, so that tests can say what an editor would."""

import re
from collections.abc import Mapping
from typing import Any

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = frozenset(
    (
        *(
            "$defs",
            "$ref",
            "$schema",
            "additionalProperties",
            "anyOf",
            "const",
            "default",
            "description",
            "discriminator",
        ),
        *("enum", "examples", "exclusiveMaximum", "exclusiveMinimum", "format", "items", "maxItems", "maxLength"),
        *("maximum", "minItems", "minLength", "minimum", "minProperties", "oneOf", "pattern", "patternProperties"),
        *("properties", "propertyNames", "required", "title", "type", "writeOnly"),
    )
)


def complaints(
    value: Any, schema: Mapping[str, Any], root: Mapping[str, Any] | None = None, at: str = "$"
) -> list[str]:
    """Where a value does not fit a schema; empty: it fits."""
    root = schema if root is None else root
    assert not set(schema) - _KNOWN, f"{at}: {set(schema) - _KNOWN} is not checked"
    found: list[str] = []
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        found += complaints(value, root["$defs"][name], root, at)
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", list(_TYPES))
    fits = [
        kind for kind in kinds if isinstance(value, _TYPES[kind]) and (kind == "boolean") >= isinstance(value, bool)
    ]
    if not fits:
        return [*found, f"{at}: {value!r} is not {'/'.join(kinds)}"]
    if "const" in schema and value != schema["const"]:
        found.append(f"{at}: {value!r} is not {schema['const']!r}")
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{at}: {value!r} is not one of {schema['enum']}")
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        found.append(f"{at}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, str) and len(value) < schema.get("minLength", 0):
        found.append(f"{at}: too short")
    if isinstance(value, (int, float)) and value < schema.get("minimum", value):
        found.append(f"{at}: {value} is too small")
    for key, wanted in (("anyOf", None), ("oneOf", 1)):
        if key in schema:
            tries = [complaints(value, one, root, at) for one in schema[key]]
            good = sum(not one for one in tries)
            if not good or (wanted and good > wanted):
                found.append(f"{at}: fits {good} of {key}: {min(tries, key=len)[:1]}")
    if isinstance(value, dict):
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties", True)
        found += [f"{at}: {key} is missing" for key in schema.get("required", ()) if key not in value]
        for key, one in value.items():
            patterns = [one for pattern, one in schema.get("patternProperties", {}).items() if re.search(pattern, key)]
            below = known.get(key, patterns[0] if patterns else rest)
            if below is False:
                found.append(f"{at}: {key} is unknown")
            elif isinstance(below, Mapping):
                found += complaints(one, below, root, f"{at}.{key}")
            if "propertyNames" in schema:
                found += complaints(key, schema["propertyNames"], root, f"{at}.{key}")
    if isinstance(value, (list, tuple)):
        if len(value) < schema.get("minItems", 0):
            found.append(f"{at}: too few")
        for index, one in enumerate(value):
            found += complaints(one, schema.get("items", {}), root, f"{at}[{index}]")
    return found
