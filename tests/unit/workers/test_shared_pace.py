"""One rate for all replicas: leased in blocks, paused together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from flyball.adapters.store.errors import StoreError
from flyball.clients.exchange import Seen
from flyball.workers.pace import AdaptivePace
from flyball.workers.shared_pace import SharedPace


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.at = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds
        await asyncio.sleep(0)


class Purse:
    """A budget that gives what its script says; nothing left of it: at once."""

    def __init__(self, time: Callable[[], float], *waits: float | Exception) -> None:
        self.waits = list(waits)
        self.taken: list[int] = []
        self.told: list[float] = []
        self.paused_until = 0.0
        self._time = time

    async def lease(self, rate: float, number: int) -> float:
        wait = self.waits.pop(0) if self.waits else 0.0
        if isinstance(wait, Exception):
            raise wait
        if wait == 0.0:
            self.taken.append(number)
        return wait

    def pause(self, seconds: float) -> None:
        self.told.append(seconds)

    @property
    def paused(self) -> float:
        return max(0.0, self.paused_until - self._time())


def shared(purse: Purse, time: Time, rate: float | None) -> SharedPace:
    return SharedPace(AdaptivePace(32, None, clock=time, sleep=time.sleep), purse, rate, clock=time, sleep=time.sleep)


async def go(pace: SharedPace, times: int) -> None:
    for _ in range(times):
        async with pace.slot():
            pass


async def test_blocks_of_a_tenth_of_a_second() -> None:
    """A hundred requests at 200 a second take five leases of twenty, not a hundred."""
    time = Time()
    purse = Purse(time)
    await go(shared(purse, time, 200.0), 100)
    assert purse.taken == [20] * 5


async def test_low_rates_and_none() -> None:
    """At two a second each request is leased; without a limit none is."""
    time = Time()
    purse = Purse(time)
    await go(shared(purse, time, 2.0), 3)
    assert purse.taken == [1, 1, 1]
    await go(shared(purse, time, None), 3)
    assert purse.taken == [1, 1, 1]


async def test_waits_until_there_is_something() -> None:
    """It waits as long as the budget says, and asks again; a database that does not answer is asked again too."""
    time = Time()
    purse = Purse(time, 0.25, 0.125, StoreError("away"))
    await go(shared(purse, time, 100.0), 1)
    assert time.slept == [0.25, 0.125, 0.5]


async def test_an_old_block_is_let_go() -> None:
    """What was leased and not used does not come as a burst later."""
    time = Time()
    purse = Purse(time)
    pace = shared(purse, time, 100.0)
    await go(pace, 1)
    time.at += 5.0
    await go(pace, 1)
    assert purse.taken == [10, 10]


async def test_a_pause_of_all() -> None:
    """A pause that another replica told of holds; one that is met here is told to the others."""
    time = Time()
    purse = Purse(time)
    purse.paused_until = 7.0
    pace = shared(purse, time, None)
    await go(pace, 1)
    assert time.at == 7.0
    pace.saw(Seen.BUSY, 3.0)
    assert purse.told == [3.0]
