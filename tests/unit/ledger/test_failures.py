"""What failed, in groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, insert

from flyball.ledger.codec import pack
from flyball.ledger.failures import MOST, failures, reason
from flyball.ledger.tables import effects, metadata

ID = "5f00000000000000000000{:02x}"


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def add(connection: Connection, error: str | None = None, *, gear: str = "recon-all", **more: Any) -> None:
    """One effect; its time grows with its number."""
    row: dict[str, Any] = {"site": "main", "rule": "recon", "rule_version": "1", "level": "session", "target": "s"}
    row |= {"path": "scien/tome", "kind": "launch", "state": "failed", "once_key": "fb-a", "lane": "x", "slot": "1"}
    row |= {"summary": "launch", "params": pack({"gear": gear}), "created": 0, "attempts": 1, "failures": 0}
    row |= {"unclear": 0, "looked": 0, "error": error, "updated": more.pop("at", 0), **more}
    connection.execute(insert(effects).values(row))


def test_one_reason_is_one_group(connection: Connection) -> None:
    """Ids, keys and durations of single targets keep nothing apart; the newest error stands for all."""
    for number in range(3):
        add(connection, f"acquisition {ID.format(number)} has no file T1w", at=number * 1_000_000)
    (group,) = failures(connection)["groups"]
    assert (group["what"], group["kind"], group["count"], group["newest"]) == ("recon-all", "launch", 3, "3")
    assert group["error"] == f"acquisition {ID.format(2)} has no file T1w"
    assert (group["first"], group["last"]) == ("1970-01-01T00:00:00+00:00", "1970-01-01T00:00:02+00:00")


def test_gears_and_kinds_are_kept_apart(connection: Connection) -> None:
    """The same words of another gear, or of a tag, are another failure; two rules that launch one gear share theirs."""
    add(connection, "no")
    add(connection, "no", rule="recon-by-session")
    add(connection, "no", gear="mriqc", rule="qc")
    add(connection, "no", kind="tag", rule="qc")
    found = {(one["kind"], one["what"]): (one["count"], one["rules"]) for one in failures(connection)["groups"]}
    assert found == {
        ("launch", "recon-all"): (2, ["recon", "recon-by-session"]),
        ("launch", "mriqc"): (1, ["qc"]),
        ("tag", "tag"): (1, ["qc"]),
    }


def test_jobs_that_failed_on_the_site_are_told(connection: Connection) -> None:
    """The launch went well, the job did not. Jobs that run or ended well are none of this."""
    for number, state in enumerate(("failed", "failed", "complete", "running")):
        add(connection, state="done", job=ID.format(number), job_state=state)
    (group,) = failures(connection)["groups"]
    assert (group["kind"], group["what"], group["count"]) == ("job", "recon-all", 2)


def test_what_did_not_fail_is_not_there(connection: Connection) -> None:
    """Errors of effects that wait or are tried again are no failures."""
    for state in ("planned", "held", "waiting", "done", "cancelled"):
        add(connection, "later", state=state)
    assert failures(connection) == {"groups": [], "more": 0}


def test_the_largest_come_first_and_the_rest_is_counted(connection: Connection) -> None:
    """A page has room for some; how many more there are is said."""
    for letter in "abcdefghijklmnopqrstuvwxyz":
        add(connection, f"reason {letter}")
    add(connection, "reason m")
    found = failures(connection)
    assert found["groups"][0]["error"] == "reason m"
    assert (len(found["groups"]), found["more"]) == (MOST, 26 - MOST)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no answer after 30.1 s", "no answer after 29.8 s"),
        ("fb-abcdefghijklmnopqrstuvwxyz is taken", "fb-bcdefghijklmnopqrstuvwxyza is taken"),
        ("request 0f8fad5b-d9cb-469f-a165-70867728950e", "request 7c9e6679-7425-40de-944b-e07fc1f90ae7"),
    ],
)
def test_particulars_do_not_count(one: str, other: str) -> None:
    """What is of one request or target alone."""
    assert reason(one) == reason(other)


def test_codes_count() -> None:
    """A 403 is another reason than a 409."""
    assert reason("403: no permission") != reason("409: no permission")
