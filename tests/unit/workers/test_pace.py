"""The pace, on a clock that only the tests move."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count

import pytest

from flyball.clients.exchange import Seen
from flyball.workers.pace import AdaptivePace


class VirtualTime:
    """Seconds that pass when everybody waits."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._order = count()
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []

    def clock(self) -> float:
        """Monotonic seconds."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Waits until the time has come."""
        awake = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.now + seconds, next(self._order), awake))
        await awake

    async def run(self, *work: Awaitable[object], until: float = float("inf")) -> float:
        """Runs all to the end, moving the time along; seconds that passed. Cancels what is left at `until`."""
        begun = self.now
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_coroutine(item)) for item in work]
            while not all(task.done() for task in tasks):
                for _ in range(30):
                    await asyncio.sleep(0)
                if all(task.done() for task in tasks):
                    break
                due, _, awake = heapq.heappop(self._sleepers)
                if due - begun > until:
                    for task in tasks:
                        task.cancel()
                    self.now = begun + until
                    break
                self.now = max(self.now, due)
                if not awake.done():
                    awake.set_result(None)
        return self.now - begun


async def _coroutine(item: Awaitable[object]) -> None:
    await item


@pytest.fixture
def time() -> VirtualTime:
    """A clock of the test's own."""
    return VirtualTime()


def paced(time: VirtualTime, concurrency: int = 16, per_second: float | None = None) -> AdaptivePace:
    """A pace on the test's clock."""
    return AdaptivePace(concurrency, per_second, clock=time.clock, sleep=time.sleep)


async def request(
    pace: AdaptivePace, time: VirtualTime, seconds: float = 0.0, seen: Seen = Seen.OK, begun: list[float] | None = None
) -> None:
    """One request of that length."""
    async with pace.slot():
        if begun is not None:
            begun.append(time.now)
        await time.sleep(seconds)
        pace.saw(seen)


async def test_concurrency_begins_at_half_and_doubles_while_all_is_well(time: VirtualTime) -> None:
    """160 requests of one second each fit in 11 rounds: one of 8, the rest of 16."""
    pace = paced(time)
    assert pace.snapshot().concurrency == 8
    took = await time.run(*(request(pace, time, 1.0) for _ in range(160)))
    assert took == pytest.approx(11.0)
    assert pace.snapshot().concurrency == 16


async def test_never_more_at_once_than_allowed(time: VirtualTime) -> None:
    """With any number of waiting requests the limit holds."""
    pace, most = paced(time, concurrency=4), 0

    async def watched() -> None:
        nonlocal most
        async with pace.slot():
            most = max(most, pace.snapshot().in_flight)
            await time.sleep(0.1)
            pace.saw(Seen.OK)

    await time.run(*(watched() for _ in range(100)))
    assert most == 4
    assert pace.snapshot().in_flight == 0


async def test_the_rate_allows_one_seconds_worth_at_once(time: VirtualTime) -> None:
    """At 50 per second the first 50 go out at once and 200 take three seconds."""
    pace, begun = paced(time, concurrency=1000, per_second=50), list[float]()
    took = await time.run(*(request(pace, time, 0.0, begun=begun) for _ in range(200)))
    assert sum(1 for at in begun if at == begun[0]) == 50
    assert took == pytest.approx(3.0, abs=0.01)


async def test_no_second_holds_more_than_twice_the_rate(time: VirtualTime) -> None:
    """Burst and refill together never exceed burst plus rate in any one second."""
    pace, begun = paced(time, concurrency=1000, per_second=20), list[float]()
    await time.run(*(request(pace, time, 0.0, begun=begun) for _ in range(150)))
    assert max(sum(1 for at in begun if start <= at < start + 1.0) for start in begun) <= 40


async def test_waiting_requests_go_in_the_order_they_came(time: VirtualTime) -> None:
    """First come, first served."""
    pace, order = paced(time, concurrency=2, per_second=5), list[int]()

    async def numbered(number: int) -> None:
        async with pace.slot():
            order.append(number)
            await time.sleep(0.3)

    await time.run(*(numbered(number) for number in range(30)))
    assert order == list(range(30))


async def test_retry_after_stops_the_whole_site(time: VirtualTime) -> None:
    """A 429 with Retry-After 5 holds back every request for five seconds, then they do not come in one burst."""
    pace, begun = paced(time, concurrency=16, per_second=10), list[float]()
    async with pace.slot():
        pace.saw(Seen.BUSY, 5.0)
    assert pace.snapshot().paused_s == pytest.approx(5.0)
    at = time.now
    await time.run(*(request(pace, time, 0.0, begun=begun) for _ in range(10)))
    assert min(begun) - at >= 5.0
    assert sum(1 for moment in begun if moment - at < 5.05) <= 2


async def test_a_longer_pause_is_not_shortened_by_a_later_answer(time: VirtualTime) -> None:
    """The furthest end of the pauses counts."""
    pace = paced(time)
    pace.saw(Seen.BUSY, 30.0)
    pace.saw(Seen.BUSY, 1.0)
    assert pace.snapshot().paused_s == pytest.approx(30.0)
    assert await time.run(request(pace, time)) == pytest.approx(30.0)


async def test_a_burst_of_429_is_one_piece_of_news(time: VirtualTime) -> None:
    """Ten refusals within a second take less than two thirds off the concurrency."""
    pace = paced(time, concurrency=32)
    for _ in range(10):
        pace.saw(Seen.BUSY, 0.0)
    assert pace.snapshot().concurrency == 6
    assert pace.snapshot().throttled == 10


async def test_429_without_retry_after_pauses_ever_longer(time: VirtualTime) -> None:
    """One second, then two, then four; an answer in between begins anew."""
    pace, pauses = paced(time), list[float]()
    for _ in range(3):
        pace.saw(Seen.BUSY)
        pauses.append(pace.snapshot().paused_s)
        await time.run(time.sleep(pauses[-1] + 1.0))
    assert pauses == pytest.approx([1.0, 2.0, 4.0])
    pace.saw(Seen.OK)
    pace.saw(Seen.BUSY)
    assert pace.snapshot().paused_s == pytest.approx(1.0)


@pytest.mark.parametrize("trouble", [Seen.BUSY, Seen.SLOW])
async def test_trouble_again_cuts_the_rate_and_quiet_lets_it_grow_back(time: VirtualTime, trouble: Seen) -> None:
    """The rate falls below what was just sent and is back at the setting within a minute of good answers."""
    pace = paced(time, concurrency=8, per_second=40)
    await time.run(*(request(pace, time, 0.01) for _ in range(80)))
    for _ in range(5):
        pace.saw(trouble, 0.0)
        await time.run(*(request(pace, time, 0.01) for _ in range(3)))
        await time.run(time.sleep(1.0))
    cut = pace.snapshot().per_second
    assert cut is not None
    assert cut < 40 * 0.75
    assert pace.snapshot().concurrency < 8

    async def quiet() -> None:
        for _ in range(600):
            await request(pace, time, 0.1)

    await time.run(quiet())
    assert pace.snapshot().per_second == 40


async def test_concurrency_grows_back_by_one_per_round_trip(time: VirtualTime) -> None:
    """After trouble the growth is slow, and still reaches the setting."""
    pace = paced(time, concurrency=8)
    for _ in range(2):
        pace.saw(Seen.SLOW)
    low = pace.snapshot().concurrency
    await time.run(*(request(pace, time, 1.0) for _ in range(1 + 2 + 3 + 4)))
    assert low == 1
    assert 4 <= pace.snapshot().concurrency <= 5
    await time.run(*(request(pace, time, 1.0) for _ in range(100)))
    assert pace.snapshot().concurrency == 8


async def test_a_503_without_retry_after_only_halves_the_concurrency(time: VirtualTime) -> None:
    """Errors of single requests, again and again, neither pause the site nor cut its rate."""
    pace = paced(time, concurrency=32)
    for _ in range(20):
        pace.saw(Seen.ILL)
        await time.run(time.sleep(1.5))
    assert pace.snapshot().concurrency == 1
    assert pace.snapshot().per_second is None
    assert pace.snapshot().paused_s == 0


async def test_a_pause_does_not_count_as_a_low_rate(time: VirtualTime) -> None:
    """A second 429 right after the pause for the first cuts the rate from what was sent, not from what was held back."""
    pace = paced(time, concurrency=8, per_second=40)
    pace.saw(Seen.BUSY, 2.0)

    async def four() -> None:
        for _ in range(4):
            await request(pace, time, 0.01)

    await time.run(four())
    pace.saw(Seen.BUSY, 2.0)
    cut = pace.snapshot().per_second
    assert cut is not None
    assert 5 < cut <= 28


async def test_a_lost_connection_says_nothing_about_the_load(time: VirtualTime) -> None:
    """A refused connection changes neither concurrency nor rate."""
    pace = paced(time)
    pace.saw(Seen.LOST)
    assert pace.snapshot().concurrency == 8
    assert pace.snapshot().per_second is None


async def test_a_cancelled_wait_leaves_the_queue_in_order(time: VirtualTime) -> None:
    """Whoever gives up, first or not, lets the next one in."""
    pace, begun = paced(time, concurrency=1), list[float]()

    async def impatient() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.0), pace.slot():
                pass

    await time.run(
        request(pace, time, 1.0), impatient(), request(pace, time, 1.0, begun=begun), impatient(), request(pace, time)
    )
    assert begun
    assert pace.snapshot().waiting == 0
    assert pace.snapshot().in_flight == 0


async def test_a_request_that_is_cancelled_as_it_is_let_in_gives_its_place_on(time: VirtualTime) -> None:
    """Between being let in and running there is one turn of the loop, in which it can be cancelled."""
    pace = paced(time, concurrency=1)
    async with asyncio.TaskGroup() as group:
        async with pace.slot():
            first = group.create_task(request(pace, time))
            second = group.create_task(request(pace, time))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert pace.snapshot().waiting == 2
        assert pace.snapshot().in_flight == 1
        first.cancel()
        group.create_task(time.run(time.sleep(1.0)))
    assert first.cancelled()
    assert not second.cancelled()
    assert pace.snapshot().in_flight == 0


async def test_an_error_inside_frees_the_place(time: VirtualTime) -> None:
    """A request that fails does not keep its place."""
    pace = paced(time, concurrency=1)
    with pytest.raises(ValueError, match="no"):
        async with pace.slot():
            raise ValueError("no")
    assert pace.snapshot().in_flight == 0


@dataclass(frozen=True)
class Used:
    """What came of a simulation."""

    per_second: float
    refused: int
    pace: AdaptivePace


async def simulated(
    time: VirtualTime,
    number: int,
    *,
    limit: Callable[[float], float] = lambda _: float("inf"),
    at_once: int = 1000,
    chance: float = 0.0,
    asked: float | None = 1.0,
    seed: int = 1,
    paced_to: float | None = None,
    latency: float = 0.02,
) -> Used:
    """So many requests to a site that refuses more than `limit(seconds)` in a second, or more than `at_once`, and some
    by chance; `asked` is its Retry-After.
    """
    pace, taken, refused, left = paced(time, 32, paced_to), deque[float](), 0, number
    dice, begun, there = random.Random(seed), time.now, 0  # noqa: S311 - a simulation

    async def worker() -> None:
        nonlocal refused, left, there
        while left > 0:
            left -= 1
            async with pace.slot():
                there += 1
                is_full = there > at_once
                await time.sleep(latency)
                there -= 1
                while taken and taken[0] <= time.now - 1.0:
                    taken.popleft()
                if is_full or dice.random() < chance or len(taken) >= limit(time.now - begun):
                    refused += 1
                    left += 1
                    pace.saw(Seen.BUSY, asked)
                else:
                    taken.append(time.now)
                    pace.saw(Seen.OK)

    took = await time.run(*(worker() for _ in range(40)))
    return Used(number / took, refused, pace)


@pytest.mark.parametrize("asked", [1.0, None])
@pytest.mark.parametrize(("limit", "number"), [(5, 300), (20, 1000), (100, 4000)])
async def test_a_site_with_a_limit_of_its_own_is_used_well_and_rarely_annoyed(
    time: VirtualTime, limit: int, number: int, asked: float | None
) -> None:
    """Three quarters of what the site gives and more; 3 % of refusals besides those of the first burst."""
    used = await simulated(time, number, limit=lambda _: limit, asked=asked)
    print(f"{limit} per second: {used.per_second:.1f} per second used, {used.refused} refusals of {number}")
    assert used.per_second >= 0.75 * limit
    assert used.refused <= 32 + 0.03 * number


async def test_a_limit_that_changes_is_followed(time: VirtualTime) -> None:
    """40 a second, then 10 for a minute, then 40 again: 70 % of all that was to be had."""
    used = await simulated(time, 3000, limit=lambda seconds: 10 if 30 < seconds < 90 else 40)
    assert used.per_second >= 0.7 * 25
    assert used.refused <= 120


@pytest.mark.parametrize("seed", range(4))
async def test_refusals_at_random_do_not_slow_us_down(time: VirtualTime, seed: int) -> None:
    """3 % of 429 by chance, without a time to wait: 80 % of the configured rate and more."""
    used = await simulated(time, 2000, chance=0.03, asked=None, paced_to=50.0, seed=seed)
    print(f"by chance: {used.per_second:.1f} of 50 per second")
    assert used.per_second >= 0.8 * 50


@pytest.mark.parametrize("seed", range(4))
async def test_a_retry_after_at_random_costs_its_own_time_only(time: VirtualTime, seed: int) -> None:
    """3 % of 429 that each ask for a second: 85 % of what is left beside these seconds."""
    used = await simulated(time, 1000, chance=0.03, asked=1.0, paced_to=50.0, seed=seed)
    best = 1000 / (1000 / 50 + used.refused * 1.0)
    print(f"by chance, a second each: {used.per_second:.1f} of {best:.1f} per second")
    assert used.per_second >= 0.85 * best


async def test_a_site_that_takes_few_at_once(time: VirtualTime) -> None:
    """A limit of four at once, whatever the rate: half of it and more is used, and under one in ten is refused."""
    used = await simulated(time, 3000, at_once=4, asked=None)
    print(f"four at once: {used.per_second:.1f} of 200 per second, {used.refused} refusals")
    assert used.per_second >= 0.4 * 200
    assert used.refused <= 300


async def test_one_refusal_while_there_is_little_to_do_costs_no_rate(time: VirtualTime) -> None:
    """A 429 to a lonely poll: when work comes, the whole rate is there."""
    pace = paced(time, concurrency=8, per_second=50)
    for _ in range(5):
        await time.run(request(pace, time, 0.02))
        await time.run(time.sleep(10.0))
    await time.run(request(pace, time, 0.02, Seen.BUSY))
    assert pace.snapshot().per_second == 50


@pytest.mark.parametrize(("concurrency", "per_second"), [(0, None), (1, 0.0), (1, -1.0)])
def test_settings_that_allow_nothing_are_refused(concurrency: int, per_second: float | None) -> None:
    """At least one request at once, and more than none per second."""
    with pytest.raises(ValueError, match="positive"):
        AdaptivePace(concurrency, per_second)


async def test_many_requests_cost_little(time: VirtualTime) -> None:
    """Nothing is left behind after 5,000 requests through a narrow place."""
    pace = paced(time, concurrency=4)
    work: list[Callable[[], Awaitable[None]]] = [lambda: request(pace, time)] * 5000
    await time.run(*(item() for item in work))
    assert pace.snapshot().waiting == 0
