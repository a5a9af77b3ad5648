"""`info` on the bench: present state decides, other keys stay, and two who disagree come to rest."""

from __future__ import annotations

from typing import Any

import pytest

from fakes.bench import Bench, Killed, node
from flyball.effects.info import merged
from flyball.model.decision import Verdict
from flyball.model.errors import Permanent, Transient, UnknownOutcome

RULE = """
rules:
  - id: worst
    each: file
    since: all
    do:
      - info: {on: session, set: {"qc.worst": file.info.snr, "seen": "'yes'", "qc.fd": file.info.fd}}
"""
SESSION = ("session", "e1")


def report(snr: float | None, **more: Any) -> Any:
    """A file with a metric."""
    return node("file", "f1", name="r.html", info={"snr": snr, **more})


def keep(bench: Bench) -> None:
    """A poll: the mirror's session has the site's info."""
    bench.see(node("session", "e1", info=dict(bench.site.info_of.get(SESSION, {}))))


def test_keys_are_set_and_others_stay() -> None:
    """Only the known values are written, below an object too; what people wrote there stays."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        bench.site.info_of[SESSION] = {"qc": {"by": "ann"}, "visit": 1}
        keep(bench)
        bench.decide("worst", "f1")
        bench.settle()
        assert bench.site.info_of[SESSION] == {"qc": {"by": "ann", "worst": 0.5}, "visit": 1, "seen": "yes"}
        assert bench.states() == ["done"]


def test_what_is_so_already_asks_for_nothing() -> None:
    """Neither an effect nor a request, also right after our own change: the mirror knows of it."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        keep(bench)
        bench.decide("worst", "f1")
        bench.settle()
        (decision,) = bench.decide("worst", "f1")
        assert [wish.want for wish in decision.wishes] == [Verdict.UNKNOWN]
        assert bench.states() == ["done"]
        assert len(bench.site.writes) == 1


def test_values_that_come_back_are_set_again() -> None:
    """0.5, then 0.9, then 0.5 again: present state decides, not what was done before."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        keep(bench)
        for value in (0.5, 0.9, 0.5, 0.9):
            bench.see(report(value))
            bench.decide("worst", "f1")
            bench.settle()
            assert bench.site.info_of[SESSION]["qc"]["worst"] == value
        assert bench.states() == ["done"] * 4


def test_who_disagrees_is_overruled_once() -> None:
    """A value that somebody writes over ours is set again once, and then left: nobody writes for ever."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        keep(bench)
        for _ in range(5):
            bench.decide("worst", "f1")
            bench.settle()
            bench.site.info_of[SESSION] = {**bench.site.info_of[SESSION], "qc": {"worst": 7}}
            keep(bench)
        assert [name for name, _ in bench.site.writes] == ["set_info"] * 2


def test_unknown_changes_nothing() -> None:
    """A metric that went missing leaves the key as it is."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        keep(bench)
        bench.decide("worst", "f1")
        bench.settle()
        bench.see(report(None))
        bench.decide("worst", "f1")
        bench.settle()
        assert bench.site.info_of[SESSION]["qc"] == {"worst": 0.5}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("error", [Transient("x"), UnknownOutcome("x"), Killed()], ids=["transient", "unclear", "kill"])
def test_trouble(error: BaseException, when: Any) -> None:
    """Whatever happens to the request, in the end the values are there."""
    with Bench(RULE) as bench:
        bench.lab(report(0.5))
        keep(bench)
        bench.site.faults.add("set_info", error, when=when)
        bench.decide("worst", "f1")
        bench.act()
        bench.settle()
        assert bench.site.info_of[SESSION]["qc"] == {"worst": 0.5}
        assert bench.states() == ["done"]


def test_merging() -> None:
    """Top-level keys come whole; a key below something that is no object is refused."""
    assert merged({"a": {"b": 1, "c": 2}}, {"a.b": 3}) == {"a": {"b": 3, "c": 2}}
    assert merged({"a": {"b": 3}}, {"a.b": 3}) == {}
    assert merged({}, {"a.b": 1, "a.c": 2}) == {"a": {"b": 1, "c": 2}}
    assert merged({"a": True}, {"a": 1}) == {"a": 1}
    with pytest.raises(Permanent, match="needs an object"):
        merged({"a": 5}, {"a.b": 1})
