"""The supervisor: what happens to a service that fails."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from flyball import supervisor
from flyball.model.errors import FlyballError
from flyball.supervisor import Supervisor


@pytest.mark.parametrize(
    ("error", "event", "shown"),
    [
        (FlyballError("the ledger is away"), "service.waits", "the ledger is away"),
        (ValueError("a mistake"), "service.failed", "ValueError: a mistake"),
    ],
    ids=["weather", "mistake"],
)
async def test_a_service_that_fails_is_started_again(
    error: Exception, event: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is shown; only a mistake of ours comes with a traceback."""
    monkeypatch.setattr(supervisor, "RESTART_PAUSE", 0.0)
    kept = Supervisor()
    starts: list[str] = []

    async def service() -> None:
        starts.append(kept.broken.get("watch", ""))
        if len(starts) == 1:
            raise error
        kept.stop()
        await asyncio.Event().wait()

    async def drain() -> None:
        pass

    with capture_logs() as said:
        await kept.run({"watch": service}, drain=drain)
    assert starts == ["", shown]
    assert [bool(line.get("exc_info")) for line in said if line["event"] == event] == [event == "service.failed"]
