"""One attempt: every end has a name, and none takes the crew down."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from fakes.channels import FakeChannels
from fakes.clock import START, FakeClock
from fakes.site import FakeSite
from flyball.effects.port import Hands
from flyball.model.effect import Blame, Effect, EffectState, Outcome, Report
from flyball.model.errors import (
    ConfigError,
    Gone,
    Permanent,
    Refused,
    Stopping,
    Transient,
    UnknownOutcome,
)
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.workers.attempt import attempt, or_else, shielded

TARGET = Target("main", Level.SESSION, "e1", "scien/tome/1001/Session 1")
EFFECT = Effect("1", "main", "r", TARGET, "odd", EffectState.RUNNING, "fb-k", "0.odd", "odd", {}, START, START)
HANDS = Hands(FakeSite(FakeClock().now), FakeChannels(), str, START, (2.0, 60.0))


class Odd:
    """A kind that ends as it is told."""

    def __init__(self, end: BaseException | Report) -> None:
        self.end = end

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        if isinstance(self.end, BaseException):
            raise self.end
        return self.end


async def end_of(end: BaseException | Report, **more: Any) -> Report:
    """How an attempt with this end is reported."""
    kinds: dict[str, Any] = {"odd": Odd(end)}
    return await attempt(EFFECT, kinds, HANDS, **more)


@pytest.mark.parametrize(
    ("error", "outcome", "blame", "wait"),
    [
        (Transient("a", status=429, wait=7), Outcome.TRANSIENT, Blame.NOBODY, 7),
        (Transient("a", status=503), Outcome.TRANSIENT, Blame.SITE, None),
        (Transient("a"), Outcome.TRANSIENT, Blame.SITE, None),
        (Transient("a", status=500), Outcome.TRANSIENT, Blame.REQUEST, None),
        (Refused("a", status=401), Outcome.TRANSIENT, Blame.NOBODY, None),
        (Refused("a", status=402), Outcome.TRANSIENT, Blame.NOBODY, None),
        (Refused("a", status=403), Outcome.REFUSED, Blame.REQUEST, None),
        (Permanent("a", status=422), Outcome.PERMANENT, Blame.REQUEST, None),
        (Gone("a", status=404), Outcome.PERMANENT, Blame.REQUEST, None),
        (ConfigError("a"), Outcome.PERMANENT, Blame.REQUEST, None),
        (Stopping("a"), Outcome.CANCELLED, Blame.REQUEST, None),
        (UnknownOutcome("a"), Outcome.UNKNOWN, Blame.REQUEST, 2.0),
        (UnknownOutcome("a", timed_out=True), Outcome.UNKNOWN, Blame.REQUEST, 60.0),
    ],
)
async def test_errors_of_ours(error: Exception, outcome: Outcome, blame: Blame, wait: float | None) -> None:
    """Each by what to do next."""
    gone = isinstance(error, Gone)  # what the effect named is read again then
    assert await end_of(error) == Report(outcome, error="a", wait=wait, blame=blame, gone=gone)


async def test_a_good_end_passes_through() -> None:
    """As the kind reports it."""
    report = Report(Outcome.DONE, {"x": 1})
    assert await end_of(report) is report


async def test_a_mistake_in_a_kind_is_one_failed_effect() -> None:
    """Its text is masked and cut; the log has the trace."""
    with structlog.testing.capture_logs() as logs:
        report = await end_of(KeyError("s3cret " + "x" * 900), mask=lambda text: text.replace("s3cret", "***"))
    assert report.outcome is Outcome.PERMANENT
    assert report.error is not None
    assert report.error.startswith("internal error: KeyError: '*** xxx")
    assert len(report.error) == 500
    assert [(line["event"], line.get("exc_info")) for line in logs] == [("effect.broken", True)]


async def test_texts_are_masked_before_they_are_cut() -> None:
    """A secret that the cut would break in two is not there in part."""
    report = await end_of(Permanent("x" * 497 + "s3cret"), mask=lambda text: text.replace("s3cret", "***"))
    assert report.error == "x" * 497 + "***"


async def test_an_unknown_kind_is_a_recorded_refusal() -> None:
    """Never a silent return."""
    report = await attempt(EFFECT, {}, HANDS)
    assert (report.outcome, report.error) == (Outcome.PERMANENT, "this version has no effect kind 'odd'")


async def test_no_end_within_the_deadline() -> None:
    """The outcome is not known then."""

    class Slow:
        async def carry_out(self, effect: Effect, hands: Hands) -> Report:
            await asyncio.Event().wait()
            raise AssertionError

    kinds: dict[str, Any] = {"odd": Slow()}
    report = await attempt(EFFECT, kinds, HANDS, deadline=0.0)
    assert (report.outcome, report.wait) == (Outcome.UNKNOWN, 60.0)


async def test_cancellation_passes_through() -> None:
    """What becomes of it is the crew's to write."""
    with pytest.raises(asyncio.CancelledError):
        await end_of(asyncio.CancelledError())


async def test_a_shielded_write_ends_though_it_is_cancelled_twice() -> None:
    """The cancellation follows; the write is told of each."""
    go, written, told = asyncio.Event(), [], []

    async def write() -> None:
        await go.wait()
        written.append(1)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(shielded(write, cancelled=lambda: told.append(1)))
        for _ in range(2):
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        go.set()
    assert (written, told, task.cancelled()) == ([1], [1, 1], True)


async def test_a_shielded_write_that_fails() -> None:
    """Its error is the caller's."""

    async def write() -> None:
        raise LookupError("no")

    with pytest.raises(LookupError):
        await shielded(write)


async def test_a_report_that_cannot_be_written() -> None:
    """Another one is, which says so."""
    seen: list[Report] = []

    async def write(report: Report) -> str:
        seen.append(report)
        if len(seen) == 1:
            raise KeyError("mark")
        return "failed"

    assert await or_else(write, Report(Outcome.DONE), EFFECT) == "failed"
    assert (seen[1].outcome, seen[1].error) == (
        Outcome.PERMANENT,
        "internal error: its end cannot be written: KeyError",
    )
