"""A replica whose lease has run out changes nothing on a Neuroscout server, and takes part in one rate."""

from __future__ import annotations

import pytest

from flyball.clock import SystemClock
from flyball.model.errors import Stopping
from flyball.sandbox import Sandbox, Scenario
from flyball.scouts import connect_scout
from flyball.settings import NeuroscoutSite
from flyball.workers.shared_pace import Budget
from support.scout import scout_settings


class Share:
    """What a replica shares: it may not act; how many requests were leased."""

    paused = 0.0

    def __init__(self) -> None:
        self.leased = 0

    def may_act(self) -> bool:
        return False

    def budget(self, _site: str) -> Budget:
        return self

    async def lease(self, _rate: float, number: int) -> float:
        self.leased += number
        return 0.0

    def pause(self, _seconds: float) -> None:
        pass


async def test_nothing_is_made_without_a_lease() -> None:
    """It still reads; the analysis that others may have been given to make meanwhile is not made."""
    share = Share()
    async with Sandbox(Scenario.named("lab")) as box:
        limits = {"limits": {"per_second": 20}}
        settings = NeuroscoutSite.model_validate(scout_settings(box.neuroscout, box.scout_users[0], **limits))
        parts = connect_scout("scout", settings, SystemClock(), share=share)
        before = len(box.scout.analyses)
        try:
            assert await parts.client.own_analyses()
            with pytest.raises(Stopping, match="lease"):
                await parts.client.create_analysis({"name": "late", "dataset_id": 9})
        finally:
            await parts.client.close()
        assert len(box.scout.analyses) == before
        assert share.leased > 0
