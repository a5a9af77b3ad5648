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

ELSEWHERE = """
  - id: other-{n}
    each: session
    since: all
    scope: {{project: "other/study-{n}"}}
    do: [{{tag: {{on: session, set: {{OTHER: len(session.acquisitions) > 0}}}}}}]
  - id: others-{n}
    each: acquisition
    since: all
    scope: {{project: ["*/*", "!scale/*"]}}
    do: [{{tag: {{on: acquisition, set: {{OTHER: acquisition.label == 'T1w'}}}}}}]
  - id: labels-{n}
    each: acquisition
    since: all
    scope: {{acquisition: "other-{n}*"}}
    do: [{{tag: {{on: acquisition, set: {{OTHER: len(acquisition.files) > 0}}}}}}]
  - id: sessions-{n}
    each: session
    since: all
    scope: {{session: "!ses-*"}}
    do: [{{tag: {{on: session, set: {{OTHER: len(session.acquisitions) > 0}}}}}}]
  - id: images-{n}
    each: file
    since: all
    scope: {{file: "*-{n}.nii.gz"}}
    do: [{{tag: {{on: file, set: {{OTHER: file.size > 0}}}}}}]
  - id: hooked-{n}
    each: session
    since: all
    trigger: [{{webhook: lab}}]
    do: [{{tag: {{on: session, set: {{LATE: true}}}}}}]
"""
"""Rules that a changed MRIQC report is nothing to: other projects, other names, other triggers."""

NARROW = """
version: 1
rules:
  - id: bold-qc
    since: all
    each: file
    scope: {file: "*mriqc.qa*", project: "scale/*"}
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
"""

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


async def cost_of_few(rules: str, folder: Path) -> Cost:
    """What some changed reports cost under these rules."""
    plain = {"projects": [], "launches": [], "scale": {"sessions": SMALL, "acquisitions": 1}}
    async with Sandbox(Scenario.named("lab", **plain)) as box:
        config = write_lab(folder, box.key, rules, hooks={"lab": {"secret": "only-loopback"}})
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
            renew(box, FEW)
            return await cost(daemon, box)


async def test_rules_that_do_not_match_cost_nothing(tmp_path: Path) -> None:
    """By project, by name, by trigger: what is not asked is not evaluated, and not stored."""
    (tmp_path / "few").mkdir()
    (tmp_path / "many").mkdir()
    few = await cost_of_few(QC + COMPLETE, tmp_path / "few")
    many = await cost_of_few(QC + COMPLETE + "".join(ELSEWHERE.format(n=n) for n in range(25)), tmp_path / "many")
    assert few.evaluations > 0
    assert many.evaluations == few.evaluations
    assert many.works == few.works
    assert many.statements <= few.statements + STREAMS
    assert many.requests <= few.requests


async def test_scopes_are_asked_of_the_site(tmp_path: Path) -> None:
    """The first reading lists the project that the rules are about, and the files with the names that they ask for."""
    plain = {"launches": [], "scale": {"sessions": FEW, "acquisitions": 1}}
    async with Sandbox(Scenario.named("lab", **plain)) as box:
        mine = next(ident for ident, row in box.site.projects.rows.items() if row["group"] == "scale")
        async with opened(write_lab(tmp_path, box.key, NARROW)) as daemon:
            assert await daemon.look()
            asked = [(one.path.rpartition("/")[2], dict(one.query).get("filter", "")) for one in box.requests.last]
    listed = {level: chosen for level, chosen in asked if f"parents.project={mine}" in chosen}
    assert set(listed) == {"subjects", "sessions", "acquisitions", "files"}
    assert "mriqc" in listed["files"]
    others = {ident for ident in box.site.projects.rows if ident != mine}
    assert others
    assert not [chosen for _, chosen in asked if any(ident in chosen for ident in others)]
