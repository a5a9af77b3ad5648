"""The one place that decides: order, holds, explanation, when to look again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from fakes.bench import START, Bench, node
from flyball.model.decision import Verdict
from flyball.model.node import Node, Presence
from flyball.rules.claims import Book
from flyball.rules.engine import Standing, decide, judge

RULES = """
rules:
  - id: plain
    each: file
    since: all
    if: file.info.snr < 1.0
    do: [{tag: {on: acquisition, set: {LOW: 'true'}}}]
  - id: scoped
    each: file
    since: all
    scope: {project: ["scien/*", "!scien/kids"], file: "*.html"}
    do: [{tag: {on: acquisition, set: {SEEN: 'true'}}}]
  - id: recent
    each: file
    do: [{tag: {on: acquisition, set: {NEW: 'true'}}}]
  - id: dated
    each: file
    since: 2026-11-19
    do: [{tag: {on: acquisition, set: {NEW: 'true'}}}]
  - id: quiet
    each: session
    since: all
    settle: 2h
    do: [{tag: {on: session, set: {QUIET: 'true'}}}]
  - id: named
    each: session
    since: all
    expect: {acquisitions: [T1w, T2w]}
    let:
      lacking: len(missing)
      scans: len(niftis)
    select:
      niftis: {files: "file.type == 'nifti'"}
      big: {files: "file.size > limit"}
    if: lacking > 0
    do: [{tag: {on: session, set: {INCOMPLETE: missing}}}]
  - id: old
    each: session
    since: all
    if: days(now() - session.timestamp) > 7
    do: [{tag: {on: session, set: {OLD: 'true'}}}]
  - id: old-and-quiet
    each: session
    since: all
    settle: 2h
    if: days(now() - session.timestamp) > 7
    do: [{tag: {on: session, set: {OLD: "hours(now() - session.created) > 30"}}}]
  - id: stopped
    each: file
    since: all
    mode: paused
    do: [{tag: {on: acquisition, set: {LOW: 'true'}}}]
  - id: jobs
    each: job
    trigger: [{job: [failed]}]
    do: [{alert: {title: failed}}]
""".replace("file.size > limit", "file.size > 10 * scans")


def qa(**doc: object) -> Node:
    """A QA file of the acquisition."""
    return node("file", "f1", **{"name": "f1.html", "info": {"snr": 0.5}, **doc})  # type: ignore[arg-type] # of a document


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench(RULES) as made:
        made.lab(qa())
        yield made


def test_yes_no_and_unknown(bench: Bench) -> None:
    """Three answers; the wish follows the condition."""
    seen = []
    for info in ({"snr": 0.5}, {"snr": 1.0}, {"snr": None}, {}, {"snr": "0.5"}, {"snr": float("nan")}):
        bench.see(qa(info=info))
        decision = bench.judge("plain", "f1")
        seen.append((str(decision.verdict), str(decision.wishes[0].want)))
    assert seen == [("yes", "yes"), ("no", "no"), *[("unknown", "unknown")] * 4]


def test_gone_is_no_and_hidden_is_unknown(bench: Bench) -> None:
    """Losing a permission must not look like missing scans."""
    bench.see(replace(qa(), presence=Presence.GONE))
    gone = bench.judge("plain", "f1")
    assert (gone.verdict, gone.exhaustive, gone.wishes) == (Verdict.NO, True, ())
    bench.see(replace(qa(), presence=Presence.HIDDEN))
    hidden = bench.judge("plain", "f1")
    assert (hidden.verdict, hidden.exhaustive) == (Verdict.UNKNOWN, False)
    bench.see(qa())
    document = replace(bench.document(bench.rules["plain"], "f1"), complete=False, reason="its session cannot be read")
    partly = judge(bench.rules["plain"], document, Standing(START), START)
    assert (partly.verdict, partly.exhaustive, partly.because[0].note) == (
        Verdict.UNKNOWN,
        False,
        "target: its session cannot be read",
    )


def test_out_of_scope_is_no(bench: Bench) -> None:
    """By each level; what the rule claimed before goes."""
    assert bench.judge("scoped", "f1").verdict is Verdict.YES
    bench.see(qa(name="f1.json"))
    out = bench.judge("scoped", "f1")
    assert (out.verdict, out.exhaustive, out.because[0].note) == (
        Verdict.NO,
        True,
        "scope: the file is out of the rule's scope",
    )
    bench.see(qa(), node("project", "p1", label="kids"))
    assert bench.judge("scoped", "f1").because[0].note == "scope: the project is out of the rule's scope"


def test_a_paused_rule_does_not_decide(bench: Bench) -> None:
    """By its mode, or by a person; its claims stay, since it says nothing."""
    decision = bench.judge("stopped", "f1")
    assert (decision.verdict, decision.held_by, decision.wishes) == (None, ("paused",), ())
    standing = Standing(START, paused=True)
    assert judge(bench.rules["plain"], bench.document(bench.rules["plain"], "f1"), standing, START).verdict is None


def test_since(bench: Bench) -> None:
    """By creation and file change; a file that was replaced is new."""
    held = bench.judge("recent", "f1")
    assert held.verdict is None
    assert held.held_by == ("since: the data is older than 2026-11-20T12:00:00+00:00",)
    bench.see(node("file", "f1", hours=0, name="f1.html"))
    assert bench.judge("recent", "f1").verdict is Verdict.YES
    bench.see(replace(qa(), settled_from=START))
    assert bench.judge("recent", "f1").verdict is Verdict.YES
    bench.see(replace(qa(), created=None, settled_from=None))
    assert bench.judge("recent", "f1").verdict is None
    bench.see(qa())
    assert bench.judge("dated", "f1").verdict is Verdict.YES
    bench.see(node("file", "f1", hours=-60, name="f1.html"))
    assert bench.judge("dated", "f1").verdict is None


def test_a_job_that_ends_after_the_rule_was_seen_is_new(bench: Bench) -> None:
    """It was made long before; what counts is its last change of state."""
    job = node("job", "j1", hours=-5, state="failed", gear_info={"name": "mriqc"})
    bench.see(job)
    assert bench.judge("jobs", "j1").verdict is None
    bench.see(replace(job, modified=START + timedelta(minutes=1)))
    assert bench.judge("jobs", "j1").verdict is Verdict.YES


def test_settle_waits_and_says_until_when(bench: Bench) -> None:
    """From the newest change of an acquisition or file; tags and the session itself do not count."""
    held = bench.judge("quiet", "e1")
    until = START + timedelta(hours=1)
    assert (held.verdict, held.look_again) == (None, until)
    assert held.held_by == (f"settle: quiet until {until.isoformat()} is awaited",)
    bench.clock.advance(3600)
    assert bench.judge("quiet", "e1").verdict is Verdict.YES
    bench.see(replace(qa(), settled_from=bench.clock.now()))
    assert bench.judge("quiet", "e1").look_again == bench.clock.now() + timedelta(hours=2)
    bench.see(replace(qa(), settled_from=None), replace(node("acquisition", "a1"), settled_from=None))
    assert bench.judge("quiet", "e1").verdict is Verdict.YES


def test_names_are_worked_out_in_the_order_in_which_they_need_each_other(bench: Bench) -> None:
    """`let` before `select` and after it, whatever the order of the file; each is explained."""
    bench.see(node("file", "f2", name="a.nii.gz", type="nifti", size=11), node("file", "f3", name="b", size=5))
    decision = bench.judge("named", "e1")
    lines = {line.expr: line for line in decision.because}
    assert lines["expect"].values == {"missing": ["T2w"], "unexpected": [], "acquisitions": 1}
    assert lines["select niftis"].values == {"niftis": ["a.nii.gz"]}
    assert lines["let scans = len(niftis)"].result == 1
    assert lines["let lacking = len(missing)"].result == 1
    assert lines["select big"].values == {"big": ["a.nii.gz"]}
    assert (decision.verdict, [wish.want for wish in decision.wishes]) == (Verdict.YES, [Verdict.YES])


def about(moment: datetime | None, expected: datetime) -> bool:
    """Whether a moment is the expected one, or at most a second later."""
    return moment is not None and timedelta(0) <= moment - expected < timedelta(seconds=1)


def test_a_decision_that_reads_the_time_is_taken_again(bench: Bench) -> None:
    """When it can flip next, and then it has flipped."""
    bench.see(node("session", "e1", timestamp=(START - timedelta(days=6)).isoformat()))
    decision = bench.judge("old", "e1")
    assert decision.verdict is Verdict.NO
    assert decision.look_again is not None
    assert about(decision.look_again, START + timedelta(days=1))
    bench.clock.advance_to(decision.look_again)
    again = bench.judge("old", "e1")
    assert (again.verdict, again.look_again) == (Verdict.YES, None)


def test_the_earliest_of_all_conditions_counts(bench: Bench) -> None:
    """Those of the effects as well."""
    bench.see(node("session", "e1", timestamp=(START - timedelta(days=6)).isoformat(), hours=-1))
    bench.clock.advance(4 * 3600)
    assert about(bench.judge("old-and-quiet", "e1").look_again, START + timedelta(days=1))
    bench.clock.advance_to(START + timedelta(days=1, minutes=1))
    assert about(bench.judge("old-and-quiet", "e1").look_again, START + timedelta(hours=29))


def test_settle_comes_before_the_time_that_conditions_name(bench: Bench) -> None:
    """While it waits, conditions are not read."""
    bench.see(node("session", "e1", timestamp=(START - timedelta(days=6)).isoformat()))
    assert bench.judge("old-and-quiet", "e1").look_again == START + timedelta(hours=1)


def test_the_story_is_json(bench: Bench) -> None:
    """Every line of every decision can be stored and shown."""
    for rule in bench.rules.values():
        if rule.each in ("file", "session"):
            decision = bench.judge(rule.id, "f1" if rule.each == "file" else "e1")
            story = [line.as_json() for line in decision.because]
            assert story
            assert json.loads(json.dumps(story, allow_nan=False)) == story
            assert all(set(line) == {"expr", "result", "values", "note"} for line in story)


def test_a_long_story_is_cut(bench: Bench) -> None:
    """Thousands of files are counted, not listed."""
    bench.see(*(node("file", f"g{number}", name=f"{number}.nii", type="nifti") for number in range(300)))
    line = next(line for line in bench.judge("named", "e1").because if line.expr == "select niftis")
    assert (line.result, len(line.values["niftis"]), line.values["niftis"][-1]) == (300, 21, "… 300 in all")


def test_decide_gives_decision_and_effects(bench: Bench) -> None:
    """For `plan`, `why`, `test` and `run` alike: with an empty book, all that is wanted."""
    rule = bench.rules["plain"]
    book = Book()
    decision, planned = decide(rule, bench.document(rule, "f1"), book, Standing(START), START)
    assert (decision.verdict, [one.summary for one in planned]) == (
        Verdict.YES,
        ["+ tag LOW  scien/tome/1001/Session 1/T1w"],
    )
    assert decide(rule, bench.document(rule, "f1"), book, Standing(START), START)[1] == []


def test_a_file_that_hangs_on_nonsense_is_no_trouble(bench: Bench) -> None:
    """It is in no list, and everything else is."""
    odd = node("file", "f7", name="odd", parent_ref={"type": [], "id": {}})
    bench.see(odd, node("file", "f2", name="a.nii.gz", type="nifti", size=11))
    assert bench.judge("named", "e1").verdict is Verdict.YES
