"""Checks of a launch against the gear's manifest: a site may take a doomed job without a word (live19)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from flyball.effects.common import an

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_FILLED_BY_SITE = frozenset({"api-key", "context"})


def manifest_faults(
    gear: Mapping[str, Any], inputs: Mapping[str, Any], config: Mapping[str, Any], secrets: Iterable[str] = ()
) -> list[str]:
    """What is wrong with a launch, for people; empty when nothing is.

    Args:
        gear: the gear as the site gives it (`gear.inputs`, `gear.config` are the manifest's).
        inputs: slot → file reference, with `file_type` where it is known.
        config: config key → value, as the rule sets them.
        secrets: further config keys, whose values are not looked at.
    """
    manifest = gear.get("gear")
    manifest = manifest if isinstance(manifest, Mapping) else {}
    faults: list[str] = []
    if gear.get("disabled"):
        faults.append("the gear is disabled on this site")
    slots = _specs(manifest.get("inputs"))
    for slot in inputs:
        if slot not in slots:
            faults.append(f"it has no input {slot!r}{_near(slot, slots)}")
        elif slots[slot].get("base") in _FILLED_BY_SITE:
            faults.append(f"input {slot!r} is filled by the site itself")
    for slot, wanted in slots.items():
        if wanted.get("base") == "file" and not wanted.get("optional") and slot not in inputs:
            faults.append(f"its required input {slot!r} has no file")
        faults.extend(_type_fault(slot, wanted, inputs.get(slot)))
    keys = _specs(manifest.get("config"))
    for key, value in config.items():
        if key not in keys:
            faults.append(f"it has no config key {key!r}{_near(key, keys)}")
        else:
            faults.extend(_value_fault(key, keys[key], value))
    faults.extend(f"it has no config key {key!r}{_near(key, keys)}" for key in secrets if key not in keys)
    return faults


def _specs(given: Any) -> dict[str, Mapping[str, Any]]:
    """The slots or config keys of a manifest; what is no mapping is passed over."""
    if not isinstance(given, Mapping):
        return {}
    return {str(name): spec for name, spec in given.items() if isinstance(spec, Mapping)}


def launch_config(
    config: Mapping[str, Any], secrets: Mapping[str, str], resolve: Callable[[str], str]
) -> dict[str, Any]:
    """The config to send: the rule's values and the secrets, resolved at the last moment. The site adds defaults.

    An optional secret (`env:NAME?`) that is not set is left out.
    """
    found = {key: resolve(reference) for key, reference in secrets.items()}
    return {**config, **{key: value for key, value in found.items() if value or not secrets[key].endswith("?")}}


def _near(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1)
    if close:
        return f" (did you mean {close[0]!r}?)"
    return f" (it has: {', '.join(sorted(known)) or 'none'})"


def _type_fault(slot: str, wanted: Mapping[str, Any], reference: Any) -> list[str]:
    wish = wanted.get("type")
    types = wish.get("enum") if isinstance(wish, Mapping) else None
    kind = reference.get("file_type") if isinstance(reference, Mapping) else None
    if isinstance(types, list) and types and kind and kind not in types:
        return [f"input {slot!r} takes {' or '.join(map(str, types))}, and {reference.get('name')!r} is {kind}"]
    return []


def _value_fault(key: str, wanted: Mapping[str, Any], value: Any) -> list[str]:
    kind = wanted.get("type")
    allowed = _TYPES.get(kind) if isinstance(kind, str) else None
    if allowed and (not isinstance(value, allowed) or (isinstance(value, bool) and bool not in allowed)):
        return [f"config key {key!r} is {an(str(kind))}, and {value!r} is none"]
    choices = wanted.get("enum")
    if isinstance(choices, list) and value not in choices:
        return [f"config key {key!r} is one of {', '.join(map(repr, choices))}, not {value!r}"]
    return []


def manifest_slots(gear: Mapping[str, Any], slots: Sequence[str], config: Mapping[str, Any]) -> list[str]:
    """What is wrong with a rule's slots and config keys before any data is seen; `{n}` slots are tried with their
    first number.
    """
    known = (gear.get("gear") or {}).get("inputs") or {}
    faults: list[str] = []
    for slot in slots:
        first = re.sub(r"\{n(?::(\d+))?\}", lambda found: found.group(1) or "2", slot)
        if first not in known:
            faults.append(f"it has no input {first!r}{_near(first, known)}")
    empty: dict[str, Any] = {
        slot: {} for slot in known if not known[slot].get("optional") and known[slot].get("base") == "file"
    }
    return [*faults, *manifest_faults(gear, empty, config)]
