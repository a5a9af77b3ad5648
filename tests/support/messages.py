"""A message as channels get it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def message(**more: Any) -> dict[str, Any]:
    """A message as channels get it."""
    return {
        "id": "fb-abc",
        "rule": "protocol",
        "target": {"level": "session", "id": "e1", "path": "scien/tome/1001/Session 1"},
        "status": "open",
        "severity": "warning",
        "title": "1001 lacks T1w",
        "body": "first\nsecond",
        "since": NOON.isoformat(),
        **more,
    }
