"""Texts that are no templates (a gear's name, a tag, a channel) filled in from a cell of the rule's matrix. Pure.

Templates and expressions see a cell's values when they are worked out. What has to be known before, because it is held
against a manifest or the settings, is written out for each cell before the rule is compiled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from flyball.configfile.tree import Map, Seq, Written
from flyball.model.levels import Level
from flyball.rules.matrix import MATRIX, Cell

NAMES: Final = frozenset(("gear", "channel"))
"""Parameters of effects that are names, and not templates."""

_NAMED: Final = re.compile(r"\{\{\s*([A-Za-z_]\w*(?:\.\w+)*)\s*\}\}")


def has_names(entry: Any) -> bool:
    """Whether a rule has names to be filled in: below `do`, keys (tags, slots) or names of gears and channels."""
    if not isinstance(entry, Map) or MATRIX not in entry or entry.get("each") == Level.MATRIX:
        return False
    return _names_in(entry.get("do"))


def _names_in(node: Any) -> bool:
    if isinstance(node, Map):
        return any(_is_named(key, one) or _names_in(one) for key, one in node.items())
    return any(_names_in(one) for one in node) if isinstance(node, Seq) else False


def _is_named(key: str, value: Any) -> bool:
    return "{{" in key or (key in NAMES and isinstance(value, str) and "{{" in value)


def for_cell(written: Written, index: int, cell: Cell) -> Written:
    """The file as if the rule at `index` had been written for that cell alone; places are those of the file."""
    entry = _copy(written.root["rules"][index])
    dict.__setitem__(entry, MATRIX, {key: [value] for key, value in cell.values.items()})
    if entry.get("do") is not None:
        dict.__setitem__(entry, "do", _filled(entry["do"], cell.names))
    rules = _copy(written.root["rules"])
    rules[index] = entry
    root = _copy(written.root)
    dict.__setitem__(root, "rules", rules)
    return Written(written.file, root)


def _filled(node: Any, names: Mapping[str, Any]) -> Any:
    if isinstance(node, Seq):
        made = _copy(node)
        made[:] = [_filled(one, names) for one in node]
        return made
    if not isinstance(node, Map):
        return node
    filled = Map()
    for key, one in node.items():
        name = _text(key, names)
        dict.__setitem__(
            filled, name, _text(one, names) if key in NAMES and isinstance(one, str) else _filled(one, names)
        )
        filled.keys_at[name], filled.values_at[name] = node.keys_at[key], node.values_at[key]
    return filled


def _text(text: str, names: Mapping[str, Any]) -> str:
    """The text with the values in place of their names; what is no name of the matrix stays as it is."""

    def value(found: re.Match[str]) -> str:
        here: Any = names
        for part in found[1].split("."):
            if not isinstance(here, Mapping) or part not in here:
                return found[0]
            here = here[part]
        if isinstance(here, Mapping | list | tuple):
            return found[0]
        return str(here).lower() if isinstance(here, bool) else str(here)

    return _NAMED.sub(value, text)


def _copy(node: Any) -> Any:
    """A mapping or list with the same entries and places."""
    if isinstance(node, Map):
        made = Map()
        made.update(node)
        made.keys_at, made.values_at = dict(node.keys_at), dict(node.values_at)
        return made
    listed = Seq()
    listed.extend(node)
    listed.items_at = list(node.items_at)
    return listed
