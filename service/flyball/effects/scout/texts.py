"""Templates inside of structures: contrasts, transformations and whole models are templated over a matrix."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flyball.rules.catalog import Compiler, PathInFile
from flyball.rules.expression import Unknown, is_unknown
from flyball.rules.templates import Template

_SIGNS = ("{{", "{%")


def compiled(value: Any, path: PathInFile, compiler: Compiler) -> Any:
    """The same structure with its texts compiled; texts without a template, and keys, stay as they are.

    Raises:
        Fault: where a template is wrong.
    """
    if isinstance(value, str):
        return compiler.template(value, path) if any(sign in value for sign in _SIGNS) else value
    if isinstance(value, Mapping):
        return {str(key): compiled(one, (*path, str(key)), compiler) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [compiled(one, (*path, index), compiler) for index, one in enumerate(value)]
    return value


def templates_in(value: Any) -> Iterator[Template]:
    """The templates of a compiled structure."""
    if isinstance(value, Template):
        yield value
    elif isinstance(value, Mapping):
        for one in value.values():
            yield from templates_in(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from templates_in(one)


def filled(value: Any, names: Mapping[str, Any]) -> Any | Unknown:
    """The structure with its templates filled in; unknown as soon as a value is missing."""
    if isinstance(value, Template):
        return value.fill(names)
    if isinstance(value, Mapping):
        pairs = {key: filled(one, names) for key, one in value.items()}
        return next((one for one in pairs.values() if is_unknown(one)), pairs)
    if isinstance(value, list | tuple):
        items = [filled(one, names) for one in value]
        return next((one for one in items if is_unknown(one)), items)
    return value
