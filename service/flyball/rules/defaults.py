"""`defaults` of a rule file: what its rules say unless they say otherwise. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MERGED = frozenset(("scope", "limits", "retry"))
"""Keys whose mappings are merged entry by entry, so that a rule can add a level of scope and keep the others."""

NOT_A_RULES_KEY = "notify"


def with_defaults(rule: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The rule as if it had been written out in full.

    A key that the rule has wins. Of `scope`, `limits` and `retry`, entries that the rule does not have are taken over
    one by one; an entry of `scope` is switched off by an empty list.
    """
    merged = dict(rule)
    for key, value in defaults.items():
        if key == NOT_A_RULES_KEY:
            continue
        if key not in merged:
            merged[key] = value
        elif key in MERGED and isinstance(value, Mapping) and isinstance(merged[key], Mapping):
            merged[key] = {**value, **merged[key]}
    return merged
