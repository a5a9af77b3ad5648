"""What the program costs, in counts: requests, transactions, evaluations. Seconds are the benches' (`make bench`)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from bench.lab import COMPLETE, QC
from flyball.adapters.store.sqlite import SqliteStore
from flyball.app import Daemon
from flyball.events import dispatch
from flyball.rules.engine import judge
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import put_file
from support.lab import opened, write_lab

SMALL, LARGE = 200, 1000  # sessions, each with one acquisition and one MRIQC report
FEW = 20
STREAMS = 5  # projects, subjects, sessions, acquisitions, files


@dataclass(frozen=True, slots=True)
class Cost:
    """What reading and deciding took.

    Attributes:
        requests: to the site.
        works: transactions that write to the ledger.
        statements: sent to the ledger, reading and writing.
        evaluations: of rules on targets.
    """

    requests: int
    works: int
    statements: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class Costs:
    """On one site: of a round in which nothing had changed, and of some changed acquisitions."""

    quiet: Cost
    few: Cost
    many: Cost


@pytest.fixture(scope="module")
def costs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Costs]:
    """Sessions on the site → costs there."""
    return {size: asyncio.run(measured(size, tmp_path_factory.mktemp(str(size)))) for size in (SMALL, LARGE)}


async def measured(sessions: int, folder: Path) -> Costs:
    """Do all there is to do on a site of that size, then change something."""
    plain = {"projects": [], "launches": [], "scale": {"sessions": sessions, "acquisitions": 1}}
    async with Sandbox(Scenario.named("lab", **plain)) as box:
        config = write_lab(folder, box.key, QC + COMPLETE)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
            quiet = await cost(daemon, box)
            renew(box, FEW)
            few = await cost(daemon, box)
            renew(box, sessions)
            return Costs(quiet, few, await cost(daemon, box))


def renew(box: Sandbox, count: int) -> None:
    """Put new versions of so many MRIQC reports on the site, with values that are neither better nor worse."""
    site = box.site
    for acquisition in list(islice(site.acquisitions.rows.values(), count)):
        report = acquisition["files"][0]
        info = {**report["info"], "renewed": site.now.isoformat()}
        meta = {"modality": "MR", "classification": report["classification"], "info": info}
        put_file(site, "acquisition", acquisition, report["name"], **meta)


async def cost(daemon: Daemon, box: Sandbox) -> Cost:
    """Read what is new, and decide; tags are not written yet."""
    box.requests.clear()
    assert isinstance(daemon.store, SqliteStore)
    works = daemon.store.works
    with counted_statements(daemon) as statements, counted_evaluations() as evaluations:
        assert await daemon.look()
        while await daemon.dispatcher.step():
            pass
    return Cost(box.requests.total, daemon.store.works - works, len(statements), len(evaluations))


@contextmanager
def counted_statements(daemon: Daemon) -> Iterator[list[str]]:
    """The statements that reach the ledger."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            found.append(statement)

    assert isinstance(daemon.store, SqliteStore)
    assert daemon.store._writer is not None
    engines = [daemon.store._reading, daemon.store._writer.engine]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@contextmanager
def counted_evaluations() -> Iterator[list[str]]:
    """The rules that are evaluated, one entry for each target."""
    found: list[str] = []

    def noted(rule: Any, *more: Any, **named: Any) -> Any:
        found.append(rule.id)
        return judge(rule, *more, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "judge", noted)
        yield found


def test_a_quiet_round_costs_one_request_a_stream(costs: dict[int, Costs]) -> None:
    """Whatever the size of the site; nothing is evaluated."""
    for size, found in costs.items():
        assert found.quiet.requests <= STREAMS, f"{size} sessions: {found.quiet}"
        assert found.quiet.evaluations == 0


def test_a_thousand_changed_acquisitions_cost_few_requests(costs: dict[int, Costs]) -> None:
    """Pages carry the documents: at most 0.05 requests for each, up to the decision."""
    found = costs[LARGE].many
    assert found.requests <= 0.05 * LARGE, found
    assert found.evaluations >= LARGE


def test_a_page_is_one_transaction(costs: dict[int, Costs]) -> None:
    """A page is stored with all that follows from it at once, and decisions in batches."""
    found = costs[LARGE].many
    batches = -(-found.evaluations // dispatch.BATCH)
    assert found.works <= found.requests + batches + 1, found


def test_a_change_costs_the_same_on_a_large_site(costs: dict[int, Costs]) -> None:
    """Evaluations, requests and statements go with what changed, and not with what is there."""
    small, large = costs[SMALL].few, costs[LARGE].few
    assert small.evaluations == large.evaluations
    assert 0 < small.evaluations <= 3 * FEW
    assert large.requests <= small.requests
    assert large.statements <= small.statements + STREAMS
    assert large.works <= small.works + STREAMS
