"""What the tests of tags share: rules that set some, the files that they read, and a bench with two of them."""

from __future__ import annotations

from fakes.bench import Bench, node
from flyball.model.node import Node

RULES = """
rules:
  - id: qc
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.snr < 1.0}}
  - id: other
    each: file
    since: all
    do:
      - tag: {on: acquisition, set: {LOW: file.info.motion > 2.0}}
  - id: keeper
    each: file
    since: all
    when_over: leave
    do:
      - tag: {on: acquisition, set: {LOW: file.info.old > 1}}
  - id: on-file
    each: file
    since: all
    do:
      - tag: {on: file, set: {BAD: file.info.snr < 1.0}}
  - id: on-all
    each: file
    since: all
    do:
      - tag: {on: project, set: {P: file.info.snr < 1.0}}
      - tag: {on: subject, set: {S: file.info.snr < 1.0}}
      - tag: {on: session, set: {E: file.info.snr < 1.0}}
"""
LOW = "acquisition/a1/LOW"


def qa(ident: str = "f1", **info: float | None) -> Node:
    """A QA file of the acquisition."""
    return node("file", ident, name=f"{ident}.html", info=info)


def tag_bench() -> Bench:
    """A bench with two poor QA files."""
    made = Bench(RULES)
    made.lab(qa(snr=0.5), qa("f2", snr=0.5))
    return made
