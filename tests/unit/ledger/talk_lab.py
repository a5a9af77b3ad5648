"""What the tests of messages share: rules that alert in several ways, and short questions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fakes.bench import Bench, node
from flyball.ledger.silencing import silence
from flyball.model.node import Node

RULES = """
rules:
  - id: alarm
    each: file
    since: all
    do:
      - alert:
          channel: [lab, ops]
          title: "snr {{ file.info.snr }}"
          when: file.info.snr < 1.0
          repeat: 1d
  - id: together
    each: file
    since: all
    do:
      - alert: {channel: lab, title: "{{ file.name }}", when: file.info.snr < 1.0, group_by: [project], wait: 60s, repeat: 1d}
  - id: apart
    each: file
    since: all
    do:
      - alert: {channel: lab, title: "{{ file.name }}", when: file.info.snr < 1.0, group_by: [file.info.kind], wait: 60s}
  - id: bad
    each: file
    since: all
    do:
      - alert: {channel: lab, title: "{{ file.name }}", when: file.info.snr < 1.0, severity: error}
"""
ALL = ("f1", "f2", "f3")


def qa(snr: float | None, ident: str = "f1", kind: str = "x") -> Node:
    """A QA file of the acquisition."""
    return node("file", ident, name=f"{ident}.html", info={"snr": snr, "kind": kind})


def turn(bench: Bench, rule: str, snr: float | None, *idents: str, kind: str = "x") -> None:
    """The files have this value, and the rule decides on them."""
    for ident in idents or ("f1",):
        bench.change(qa(snr, ident, kind))
        bench.decide(rule, ident)


def said(bench: Bench) -> list[tuple[str, str]]:
    """(channel, status) of what arrived, in order."""
    return [(one.channel, one.status) for one in bench.channels.sent]


def quiet(bench: Bench, what: str, seconds: float) -> Any:
    """Begin a silence."""
    now = bench.clock.now()
    until = now + timedelta(seconds=seconds)
    return bench.ledger.do(lambda connection: silence(connection, what, until, "the scanner is upgraded", now))
