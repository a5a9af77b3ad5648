"""Jobs that failed on the site, in groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert

from flyball.ledger.codec import pack
from flyball.ledger.failed_jobs import failed_jobs
from flyball.ledger.tables import effects, metadata


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def add(connection: Connection, job_state: str | None, *, gear: str = "recon-all", **more: Any) -> None:
    """One launch that the site took."""
    row: dict[str, Any] = {"site": "main", "rule": "recon", "rule_version": "1", "level": "session", "target": "s"}
    row |= {"path": "scien/tome", "kind": "launch", "state": "done", "once_key": "fb-a", "lane": "x", "slot": "1"}
    row |= {"summary": "launch", "params": pack({"gear": gear}), "created": 0, "attempts": 1, "failures": 0}
    row |= {"unclear": 0, "looked": 0, "updated": 0, "job": "5f0000000000000000000001", "job_state": job_state, **more}
    connection.execute(insert(effects).values(row))


def test_a_group_for_each_gear(connection: Connection) -> None:
    """The newest first within a group, with the times of the first and the last."""
    for number in range(3):
        add(connection, "failed", updated=number * 1_000_000, rule=f"rule-{number % 2}")
    add(connection, "failed", gear="mriqc")
    first, second = (group.as_json() for group in failed_jobs(connection))
    assert (first["kind"], first["gear"], first["count"], first["effects"]) == ("job", "recon-all", 3, ["3", "2", "1"])
    assert first["rules"] == ["rule-0", "rule-1"]
    assert (first["first"], first["last"]) == ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:02+00:00")
    assert (second["gear"], second["count"]) == ("mriqc", 1)


def test_other_ends_of_jobs_are_no_failures(connection: Connection) -> None:
    """What runs, ended well, was cancelled by a person or is of no launch at all."""
    for state in ("pending", "running", "complete", "cancelled", None):
        add(connection, state)
    add(connection, "failed", state="undone")
    assert failed_jobs(connection) == []
