"""Failed effects in groups, and tried again together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest

from fakes.bench import Bench, node
from flyball.ledger.failures import groups, reason_of, retry_group
from flyball.model.errors import Permanent

RULES = """
rules:
  - id: convert
    each: file
    since: all
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}}
  - id: remark
    each: file
    since: all
    do:
      - note: {on: session, text: seen}
"""
FILES = ("f1", "f2", "f3")


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(*(node("file", ident, name=ident) for ident in FILES))
        made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
        yield made


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            "main: POST /x answered 422: input 5f0a1b2c3d4e5f6071829304 has 17 pages",
            "main: POST /x answered 422: input ID has N pages",
        ),
        ("no job with tag fb-abcdefghijklmnopqrstuvwxyz", "no job with tag KEY"),
        ("gear fs 1.2.0_7.2.0: input t1w_2 is missing", "gear fs 1.2.0_7.2.0: input t1w_2 is missing"),
        (None, "no reason is known"),
    ],
)
def test_a_reason_is_what_cases_have_in_common(error: str | None, reason: str) -> None:
    """Ids, keys and numbers go; statuses, names and versions stay."""
    assert reason_of(error) == reason


def fail(bench: Bench) -> None:
    """Three launches are refused for two reasons, and a note for another."""
    bench.site.faults.add("add_job", Permanent("no room for 12 files", status=422), times=2)
    bench.decide("convert", "f1", "f2")
    bench.act()
    bench.site.faults.add("add_job", Permanent("gear is broken", status=400))
    bench.site.faults.add("add_note", Permanent("no room for 3 files", status=422))
    bench.decide("convert", "f3")
    bench.decide("remark", "f1")
    bench.act()


def test_the_largest_group_comes_first(bench: Bench) -> None:
    """By kind, gear and reason, with rules, numbers, targets and times."""
    fail(bench)
    found = [group.as_json() for group in bench.ledger.do(groups)]
    shown = [(group["kind"], group["gear"], group["reason"], group["count"]) for group in found]
    assert shown == [
        ("launch", "dcm2niix", "no room for N files", 2),
        ("launch", "dcm2niix", "gear is broken", 1),
        ("note", None, "no room for N files", 1),
    ]
    assert found[0]["effects"] == ["1", "2"]
    assert found[0]["rules"] == ["convert"]
    assert found[0]["first"] == found[0]["last"] == bench.clock.now().isoformat()
    of_rules = [partial(groups, rule=rule) for rule in ("remark", "nobody")]
    assert [len(bench.ledger.do(work)) for work in of_rules] == [1, 0]


@pytest.mark.parametrize(
    ("chosen", "states"),
    [
        ({"gear": "dcm2niix"}, ["done", "done", "done", "failed"]),
        ({"gear": "dcm2niix", "error": "ROOM"}, ["done", "done", "failed", "failed"]),
        ({"error": "room"}, ["done", "done", "failed", "done"]),
        ({"rule": "remark"}, ["failed", "failed", "failed", "done"]),
        ({"kind": "launch", "error": "broken"}, ["failed", "failed", "done", "failed"]),
        ({"gear": "another"}, ["failed", "failed", "failed", "failed"]),
    ],
)
def test_a_group_is_tried_again_together(bench: Bench, chosen: dict[str, str], states: list[str]) -> None:
    """What fits is planned anew and carried out; the rest stays failed."""
    fail(bench)
    bench.ledger.do(lambda connection: retry_group(connection, bench.clock.now(), **chosen))
    bench.act()
    assert bench.states() == states
