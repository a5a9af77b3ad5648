"""Exchanges with the real Neuroscout server, as recorded."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).parents[3] / "samples" / "neuroscout"


@lru_cache
def recorded() -> tuple[dict[str, Any], ...]:
    """Every exchange, in the order in which it was recorded."""
    lines = [line for path in sorted(FOLDER.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
    found = tuple(orjson.loads(line) for line in lines if line.strip())
    assert found
    return found
