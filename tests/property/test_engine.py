"""The engine on dirty documents: whatever a site holds, there is an answer, and its story is JSON."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes.bench import SITE, START, node, rules_of
from flyball.ledger.codec import pack
from flyball.model.decision import Verdict
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import Document, Node, Presence, Target
from flyball.rules.claims import Book
from flyball.rules.engine import Standing, decide
from flyball.rules.keys import fingerprint
from flyball.rules.rule import Rule

RULES = """
profiles:
  bold:
    from: [file.info.IQM, file.info]
    metrics: {fd_mean: {worse: higher, warn: 0.25, fail: 0.5}, tsnr: {worse: lower, fail: 30}}
rules:
  - id: file
    each: file
    since: all
    scope: {project: ["scien/*", "!scien/kids"], file: "*.html"}
    let: {snr: "coalesce(file.info.snr, file.info.IQM.snr)", level: "qc('bold').level"}
    if: "'T2*' in file.classification.Measurement or snr < 1.0"
    do:
      - tag: {on: acquisition, set: {LOW: snr < 1.0, HIGH: file.info.fd_mean > 2.5, BAD: level == 'fail'}}
      - tag: {on: file, set: {OLD: "days(now() - file.created) > 30"}}
      - note: {on: session, text: "{{ file.name }} {{ file.info.snr }} {{ session.label }} {{ level }}"}
      - alert: {title: "{{ subject.label }} {{ file.info }}", body: "{{ file.tags | join(', ') }}", when: len(file.tags) > 0}
      - launch: {gear: g, on: session, inputs: {source: file}, depends: [session.info.visit], label: "{{ file.name }}"}
  - id: session
    each: session
    since: now
    settle: 2h
    expect: {acquisitions: [T1w, {match: "^task-.*_run-0[1-4]$", count: 4}]}
    let: {few: "count('acquisition', acquisition.label == 'T1w') < 2", size: "sum(file.size for file in t1)"}
    select:
      t1: {files: "file.type == 'nifti' and file.classification.Measurement == ['T1']",
           order: [acquisition.timestamp, file.info.snr], max: 3}
      scans: {acquisitions: "matches(acquisition.label, '^T')", order: [acquisition.label]}
    if: len(missing) > 0 or years(session.age) > 18 or any(one.info.snr > 1 for one in t1)
    do:
      - tag: {on: session, set: {INCOMPLETE: missing, FEW: few, BIG: size > 100}}
      - alert: {title: "{{ missing | join(', ') }}{% for one in t1 %}{{ one.name }}{% endfor %}", when: missing}
      - launch: {gear: g, on: subject, inputs: {anatomical: "t1[0]", "more_{n}": "t1[1:]", x: "scans[0].files[0]"}}
  - id: job
    each: job
    trigger: [{job: [failed], gear: ["*"]}]
    since: all
    if: job.state == 'failed' and not has(job.retried)
    do:
      - alert: {title: "{{ job.gear_info.name }} {{ job.failure_reason }}"}
      - tag: {on: session, set: {FAILED: job.attempt > 1}}
"""
SHIPPED: dict[str, Rule] = {rule.id: rule for rule in rules_of(RULES)}
FIELDS = (
    *("info", "classification", "tags", "type", "size", "created", "modified", "timestamp", "label", "name", "age"),
    *(
        "parent_ref",
        "version",
        "hash",
        "replaced",
        "gear_info",
        "state",
        "attempt",
        "retried",
        "files",
        "id",
        "parents",
    ),
    *("snr", "IQM", "fd_mean", "tsnr", "Measurement", "visit", "notes", "failure_reason"),
)
JUNK = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(
            ["T1", "T2*", "nifti", "T1w", "2026-11-20T10:00:00+00:00", "2026-13-40", "failed", "../x", "<b>"]
        ),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5)),
    max_leaves=12,
)
DOCS = st.dictionaries(st.sampled_from(FIELDS), JUNK, max_size=8)
PRESENCES = st.sampled_from([Presence.PRESENT] * 8 + [Presence.GONE, Presence.HIDDEN])
TIMES = st.sampled_from([None, START, START - timedelta(hours=5), START + timedelta(days=3000)])


@st.composite
def nodes(draw: st.DrawFn, /, level: str, ident: str, **fixed: Any) -> Node:
    """A node whose document is anything; what the mirror itself makes of it is as it always is."""
    plain = node(level, ident)
    doc = {"id": ident, **fixed, **draw(DOCS)}
    label = draw(st.sampled_from(["T1w", "tome", "x.html", "", "task-rest_run-01", "ü/../<b>"]))
    made = replace(plain, doc=doc, label=label, created=draw(TIMES), settled_from=draw(TIMES), presence=draw(PRESENCES))
    if draw(st.booleans()):
        parents = dict(plain.parents)
        parents.pop(draw(st.sampled_from(sorted(parents) or ["x"])), None)
        made = replace(made, parents=parents)
    return made


@st.composite
def documents(draw: st.DrawFn, /, each: str) -> Document:
    """A target with whatever is above and below it, or is missing there."""
    target = draw(nodes(each, "t1"))
    order = [str(level) for level in HIERARCHY]
    over = order[: order.index(each)] if each in order else order[:4]
    ancestors = {Level(level): draw(nodes(level, f"{level}1")) for level in over if draw(st.integers(0, 9)) > 0}
    below = [Level(level) for level in order[order.index(each) + 1 :]] if each in order else []
    subtree = tuple(
        draw(nodes(str(level), f"{level}{number}")) for level in below for number in range(draw(st.integers(0, 3)))
    )
    names: dict[str, Any] = {str(level): one.doc for level, one in ancestors.items()}
    names[each] = target.doc
    if draw(st.booleans()):
        names["group"] = {"id": None}
    complete = draw(st.integers(0, 9)) > 0
    return Document(Target(SITE, Level(each), "t1", "path"), names, target, ancestors, subtree, complete)


@pytest.mark.parametrize("ident", sorted(SHIPPED))
def test_there_is_always_an_answer(ident: str) -> None:
    """No exception; yes, no, unknown or held; and all of it can be stored."""
    rule = SHIPPED[ident]

    @settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(documents(str(rule.each)), st.sampled_from([START, START + timedelta(days=365)]))
    def check(document: Document, now: Any) -> None:
        book = Book()
        decision, planned = decide(rule, document, book, Standing(START), now)
        assert decision.verdict in (None, *Verdict)
        assert (decision.verdict is None) == bool(decision.held_by)
        story = [line.as_json() for line in decision.because]
        assert json.loads(pack(story)) == json.loads(json.dumps(story, allow_nan=False, default=str))
        assert fingerprint(story)
        for one in planned:
            assert one.summary
            assert one.once_key.startswith("fb-")
            assert json.loads(pack(one.params))
        again = decide(rule, document, book, Standing(START), now)
        assert again[1] == []
        assert fingerprint([line.as_json() for line in again[0].because]) == fingerprint(story)

    check()
