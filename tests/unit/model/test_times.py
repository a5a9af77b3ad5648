"""Time stamps as sites write them."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.model.times import parse_time


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2026-11-02T09:15:42.318000+00:00", "2026-11-02T09:15:42.318000+00:00"),
        ("2026-11-02T09:15:42+00:00", "2026-11-02T09:15:42+00:00"),
        ("2026-11-02T09:15:42", "2026-11-02T09:15:42+00:00"),
        ("2026-11-02T10:15:42.5+01:00", "2026-11-02T09:15:42.500000+00:00"),
        ("2026-11-02", "2026-11-02T00:00:00+00:00"),
        ("0001-01-01T00:00:00+23:00", None),
        ("yesterday", None),
        ("", None),
        (None, None),
        (17, None),
        (True, None),
    ],
)
def test_times(text: Any, wanted: str | None) -> None:
    """In UTC; whatever is none is None."""
    found = parse_time(text)
    assert (None if found is None else found.isoformat()) == wanted
