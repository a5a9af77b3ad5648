"""Ways to ask an expression, with a small document and a fixed time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.rules.expression import Context, compile_expression, is_unknown

NOW = datetime(2026, 11, 5, 12, 0, tzinfo=UTC)

Ask = Callable[..., Any]


@pytest.fixture
def now() -> datetime:
    """The present time of all evaluations."""
    return NOW


@pytest.fixture
def names() -> dict[str, Any]:
    """A file with its ancestors, and two selections."""
    return {
        "file": {
            "id": "f1",
            "name": "task-rest_bold.nii.gz",
            "type": "nifti",
            "size": 12,
            "created": "2026-11-01T12:00:00.000000+00:00",
            "classification": {"Measurement": ["T2*"], "Intent": ["Functional"]},
            "info": {
                "snr": 0.8,
                "fd_mean": 0.2,
                "null": None,
                "nan": float("nan"),
                "inf": float("inf"),
                "text": "nan",
                "flag": True,
                "Echo Time": 0.03,
                "zero": 0,
                "list": [1, 2, 3],
            },
        },
        "acquisition": {
            "id": "a1",
            "label": "task-rest_run-01",
            "timestamp": "2026-11-01T08:00:00",
            "files": [
                {"name": "good.nii.gz", "info": {"snr": 2.0}},
                {"name": "bad.nii.gz", "info": {"snr": 0.5}},
                {"name": "unrated.nii.gz", "info": {}},
            ],
        },
        "session": {"id": "s1", "label": "ses-1", "timestamp": "2026-11-01T12:00:00Z", "age": 30 * 365.25 * 86400},
        "t1": [{"name": "a.nii"}, {"name": "b.nii"}],
        "missing": ["T1w"],
        "empty": [],
    }


@pytest.fixture
def value(names: dict[str, Any]) -> Ask:
    """The value of an expression; `?` when it is unknown."""

    def ask(source: str, **more: Any) -> Any:
        known = names | more
        result = compile_expression(source, names=known).value(Context(known, NOW))
        return "?" if is_unknown(result) else result

    return ask


@pytest.fixture
def truth(names: dict[str, Any]) -> Ask:
    """The truth of an expression: `yes`, `no` or `unknown`."""

    def ask(source: str, **more: Any) -> str:
        known = names | more
        result = compile_expression(source, names=known).test(Context(known, NOW))
        return "unknown" if is_unknown(result) else "yes" if result is True else "no"

    return ask


@pytest.fixture
def reason(names: dict[str, Any]) -> Ask:
    """Why an expression is unknown."""

    def ask(source: str, **more: Any) -> str:
        known = names | more
        result = compile_expression(source, names=known).test(Context(known, NOW))
        assert is_unknown(result)
        return result.reason

    return ask
