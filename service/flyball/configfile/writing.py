"""Values to YAML text that `read_yaml` reads back as they are; in quotes what could be taken for something else."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./*-]*(?: [A-Za-z0-9_./*-]+)*")
_TAKEN = re.compile(r"(?:null|true|false|yes|no|on|off|y|n|nan|inf)", re.IGNORECASE)
_WIDTH = 100


def write_yaml(value: Mapping[str, Any]) -> str:
    """A mapping of JSON values as block YAML; short lists and mappings without depth on one line."""
    return "".join(f"{line}\n" for line in _block(value, 0))


def _block(value: Mapping[str, Any], indent: int) -> Iterator[str]:
    for key, one in value.items():
        yield from _entry(f"{' ' * indent}{_text(str(key))}:", one, indent + 2)


def _entry(head: str, value: Any, indent: int) -> Iterator[str]:
    flow = _flow(value)
    if len(head) + len(flow) < _WIDTH or not isinstance(value, (Mapping, list, tuple)) or not value:
        yield f"{head} {flow}"
        return
    yield head
    if isinstance(value, Mapping):
        yield from _block(value, indent)
        return
    for one in value:
        if isinstance(one, Mapping) and one and len(_flow(one)) + indent >= _WIDTH:
            first, *rest = list(_block(one, indent + 2))
            yield f"{' ' * indent}- {first.lstrip()}"
            yield from rest
        else:
            yield from _entry(f"{' ' * indent}-", one, indent + 2)


def _flow(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_text(str(key))}: {_flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_flow(one) for one in value) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else f"{'-' if value < 0 else ''}.inf"
    return json.dumps(value) if value is None or isinstance(value, (bool, int, float)) else _text(str(value))


def _text(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _TAKEN.fullmatch(text):
        return text
    return "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in json.dumps(text, ensure_ascii=False))
