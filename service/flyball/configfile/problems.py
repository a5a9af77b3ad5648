"""pydantic's errors as problems with places: `file:line:column: what is wrong and what would be right`.

Values are repeated in messages only where `shown` allows it, since settings hold secrets.
"""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from flyball.configfile.durations import shortened
from flyball.configfile.suggest import closest, instead
from flyball.configfile.tree import Path, Written
from flyball.model.place import Problem

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "dict_type": "a mapping of keys to values",
    "mapping_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "none_required": "left out",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


def problems_of(
    error: ValidationError,
    written: Written,
    model: type[BaseModel],
    base: Path = (),
    *,
    shown: Callable[[Path], bool] | None = None,
    also: tuple[str, ...] = (),
) -> list[Problem]:
    """The problems of one validation, in the order of the file.

    Args:
        error: from validating what stands at `base`.
        written: the file.
        model: what was validated against, for suggestions.
        base: path of what was validated.
        shown: whether the value at a path (below `base`) may be repeated in a message; None: all may.
        also: further keys that may stand beside the model's own.
    """
    by_path: dict[Path, list[tuple[bool, str]]] = {}
    items = error.errors(include_url=False)
    for item in items:
        loc = tuple(item["loc"])
        if item["type"] == "too_short" and any(
            len(one["loc"]) > len(loc) and tuple(one["loc"][: len(loc)]) == loc for one in items
        ):
            continue  # pydantic counts only the entries that are right
        there = written.present((*base, *loc, *(("kind",) if item["type"] == "union_tag_invalid" else ())))
        at_key = item["type"] == "extra_forbidden" or loc[-1:] == ("[key]",)
        message = _message(item, loc, there, model, shown=shown is None or shown(loc), also=also)
        by_path.setdefault(there, []).append((at_key, message))
    problems = [
        Problem(
            written.place(path, key=any(at_key for at_key, _ in found)),
            "; or ".join(dict.fromkeys(message for _, message in found)),
        )
        for path, found in by_path.items()
    ]
    return sorted(problems, key=lambda problem: (problem.place.line, problem.place.column))


def _message(
    item: ErrorDetails, loc: Path, there: Path, model: type[BaseModel], *, shown: bool, also: tuple[str, ...]
) -> str:
    """One error in the words of the house; `there` is the part of its path that the file has."""
    kind, context, given = item["type"], item.get("ctx", {}), item["input"]
    if kind == "extra_forbidden":
        known = [*keys_at(model, loc[:-1]), *(also if len(loc) == 1 else ())]
        return f"unknown key `{loc[-1]}`; {instead(str(loc[-1]), known)}"
    if kind == "missing":
        purpose = _description(model, loc)
        return f"the key `{loc[-1]}` is missing{f' ({purpose})' if purpose else ''}"
    name = _named(there)
    if loc[-1:] == ("[key]",):
        return f"the name {name} must look like {context.get('pattern', 'a text')}"
    if kind in ("value_error", "assertion_error"):
        return f"{name}: {context.get('error', item['msg'])}"
    if kind in _BOUNDS:
        words, key = _BOUNDS[kind]
        return f"{name} must be {words} {context[key]}{_but(given, shown=shown)}"
    if kind == "string_type" and isinstance(given, (int, float)) and shown:
        return f"{name} must be text, not {_described(given)}; write it in quotes"
    if kind in _KINDS:
        return f"{name} must be {_KINDS[kind]}{_but(given, shown=shown)}"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        return _not_one_of(name, item, shown=shown)
    if kind == "union_tag_not_found":
        return f"{name}: the key `kind` is missing"
    if kind in ("too_short", "string_too_short"):
        empty = context.get("min_length") == 1
        return f"{name} must not be empty" if empty else f"{name} is too short{_but(given, shown=shown)}"
    if kind in ("too_long", "string_too_long"):
        return f"{name} is too long: at most {context.get('max_length')} entries or characters"
    if kind == "string_pattern_mismatch":
        return f"{name} must look like {context.get('pattern')}{_but(given, shown=shown)}"
    words = item["msg"]
    return f"{name}: {words[:1].lower()}{words[1:]}"


def _named(path: Path) -> str:
    """A path's last key, for messages; entries of lists by their number, from 1."""
    if not path:
        return "this"
    if isinstance(path[-1], int):
        before = next((part for part in reversed(path) if isinstance(part, str)), "")
        return f"entry {path[-1] + 1} of `{before}`" if before else f"entry {path[-1] + 1}"
    return f"`{path[-1]}`"


def _not_one_of(name: str, item: ErrorDetails, *, shown: bool) -> str:
    context, given = item.get("ctx", {}), item["input"]
    known = re.findall(r"'([^']*)'", str(context.get("expected") or context.get("expected_tags") or ""))
    word = str(context["tag"]) if "tag" in context else given
    said = f"{shortened(word)} is" if shown or "tag" in context else "it is"
    nearest = closest(word, known) if isinstance(word, str) else None
    return f"{name}: {said} not one of {', '.join(known)}{f'; did you mean `{nearest}`?' if nearest else ''}"


def _but(value: Any, *, shown: bool) -> str:
    return f", not {_described(value)}" if shown else ""


def _described(value: Any) -> str:
    """What a value is, in the words of somebody who writes YAML."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {shortened(value)}"
    if isinstance(value, (int, float)):
        return f"the number {shortened(value)}"
    if isinstance(value, Mapping):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else shortened(value)


def keys_at(model: Any, path: Path) -> list[str]:
    """The keys that may stand at `path` inside of `model`; parts that name members of a union are passed over."""
    keys: dict[str, None] = {}
    for found in _models_at(model, path):
        for name, field in found.model_fields.items():
            keys[field.alias or name] = None
    return list(keys)


def annotation_at(model: Any, path: Path) -> list[Any]:
    """The types that may stand at `path` inside of `model`, unions taken apart; empty where nothing can."""
    now = _members(model)
    for part in path:
        now = [member for one in now for member in _step(one, part)]
    return now


def _models_at(model: Any, path: Path) -> list[type[BaseModel]]:
    now = _members(model)
    for part in path:
        stepped = [member for one in now for member in _step(one, part)]
        now = stepped or now  # a union's member named in the path
    return [one for one in now if isinstance(one, type) and issubclass(one, BaseModel)]


def _members(annotation: Any) -> list[Any]:
    """The members of a union, without `Annotated` and None."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for one in get_args(annotation) for member in _members(one)]
    return [] if annotation is type(None) else [annotation]


def _step(annotation: Any, part: str | int) -> list[Any]:
    """The types of what stands under `part` in a value of this type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if part == (field.alias or name):
                return _members(field.annotation)
        return []
    origin, args = get_origin(annotation), get_args(annotation)
    if isinstance(origin, type) and issubclass(origin, Mapping) and args:
        return _members(args[1])
    if origin in (list, tuple, set, frozenset) and args and isinstance(part, int):
        return _members(args[0])
    return []


def _description(model: type[BaseModel], loc: Path) -> str:
    for found in _models_at(model, loc[:-1]):
        for name, field in found.model_fields.items():
            if loc[-1] == (field.alias or name) and field.description:
                return field.description.split(". ")[0].rstrip(".")
    return ""
