"""Rules' own tests: what they are run with, and what is said of those that fail."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from flyball.effects.catalog import KINDS
from flyball.rules.reading import RuleSet
from flyball.rules.testing import TestResult, run_test
from unit.rules.kit import NOW, read

RULES = """
profiles:
  p: {metrics: {tsnr: {warn: z -3, within: [project, acquisition.label]}}}
rules:
  - id: qc
    each: file
    mode: paused
    scope: {project: scien/*, file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do: [{tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0, HIGH_FD: file.info.fd_mean > 2.5}}}]
    tests:
      - given: {file: {name: x_mriqc.qa.html, classification: {Measurement: ["T2*"]}, info: {snr: 0.8, fd_mean: 0.1}}}
        expect: {decision: yes, effects: [{kind: tag, tag: LOW_SNR}]}
        name: little signal
      - given: {file: {name: x_mriqc.qa.html, classification: {Measurement: ["T2*"]}, info: {snr: null, fd_mean: 9}}}
        expect: {decision: yes, effects: [{kind: tag, tag: LOW_SNR}]}
      - given: {file: {name: other.html}}
        expect: {decision: no, effects: []}
      - given: {file: {name: a_mriqc.qa.html}}
        expect: {decision: unknown}
      - given: {group: demo, project: {label: tome}, file: {name: a_mriqc.qa.html}}
        expect: {decision: no}
  - id: protocol
    each: session
    settle: 2h
    expect: {acquisitions: [T1w, {match: "^task", count: 2, title: two runs}]}
    do:
      - tag: {on: session, set: {INCOMPLETE: missing}}
      - alert: {when: missing, title: "{{ session.label }} lacks {{ missing | join(', ') }}"}
    tests:
      - given: {session: {label: s1, acquisitions: [T1w, task-1]}}
        expect:
          decision: yes
          effects: [{kind: alert, title: s1 lacks two runs, severity: warning}, {kind: tag, on: session}]
      - given: {session: {label: s1, tags: [INCOMPLETE], acquisitions: [T1w, task-1]}}
        expect: {effects: [{kind: alert}]}
  - id: runs
    each: subject
    select: {t1: {files: "file.type == 'nifti' and acquisition.label == 'T1w'", order: [file.name], max: 2}}
    if: len(t1) >= 1 and count(sessions, session.label == 's1') == 1
    do: [{launch: {gear: fs, on: subject, inputs: {first: "t1[0]", "more_{n}": "t1[1:]"}}}]
    tests:
      - given:
          subject:
            label: x
            sessions:
              - {label: s1, acquisitions: [{label: T1w, files: [{name: b.nii, type: nifti}, {name: a.nii, type: nifti}]}]}
              - {label: s2, acquisitions: [{label: T2w, files: [{name: c.nii, type: nifti}]}]}
        expect: {decision: yes, effects: [{kind: launch, gear: fs, inputs: {first: a.nii, more_2: {name: b.nii}}}]}
  - id: aged
    each: session
    if: days(now - session.timestamp) > 30
    do: [{alert: {title: old}}]
    tests:
      - given: {now: "2026-03-01T00:00:00Z", session: {timestamp: "2026-01-01T00:00:00Z"}}
        expect: {decision: yes}
      - {given: {session: {timestamp: "2026-01-01T00:00:00Z"}}, expect: {decision: yes}}
  - id: peers
    each: file
    if: qc('p').level == 'warn'
    do: [{tag: {on: file, set: {ODD: true}}}]
    tests:
      - given: {peers: {tsnr: {n: 30, median: 50, mad: 2}}, acquisition: {label: bold}, file: {name: a, info: {tsnr: 41}}}
        expect: {decision: yes}
      - given: {peers: {tsnr: {n: 19, median: 50, mad: 2}}, acquisition: {label: bold}, file: {name: a, info: {tsnr: 41}}}
        expect: {decision: unknown}
      - given: {acquisition: {label: bold}, file: {name: a, info: {tsnr: 41}}}
        expect: {decision: unknown}
"""


@pytest.fixture(scope="module")
def lab() -> RuleSet:
    """The rules above, with this version's effects."""
    found = read(RULES, catalog=KINDS)
    assert not found.rejected, str(found.rejected[0])
    return found


def ran(lab: RuleSet, rule: str, number: int, now: datetime = NOW) -> TestResult:
    test = [one for one in lab.tests if one.rule == rule][number]
    assert not isinstance(test.given, str)
    return run_test(test, lab.rules, lab.functions, test.given, now)


@pytest.mark.parametrize(
    ("rule", "number"),
    [
        ("qc", 0),
        ("qc", 2),
        ("qc", 3),
        ("qc", 4),
        ("protocol", 0),
        ("protocol", 1),
        ("runs", 0),
        ("aged", 0),
        ("aged", 1),
        ("peers", 0),
        ("peers", 1),
        ("peers", 2),
    ],
)
def test_passes(lab: RuleSet, rule: str, number: int) -> None:
    """A paused rule, one that waits for quiet and one about newer data alone are tested like the others."""
    result = ran(lab, rule, number)
    assert (result.status, result.differences) == ("passed", ())


def test_a_failing_test_says_what_and_why(lab: RuleSet) -> None:
    """Both values, what is missing and too much, and the explanation of the decision."""
    result = ran(lab, "qc", 1)
    assert result.status == "failed"
    assert result.differences == (
        (
            'expected effect is not asked for: {"kind":"tag","tag":"LOW_SNR"}; '
            "the nearest differs in `tag` (expected LOW_SNR, got HIGH_FD)"
        ),
        "effect is asked for and not expected: + tag HIGH_FD  ?/?/?/?",
    )
    said = result.as_json()
    assert (said["status"], said["file"], said["line"]) == ("failed", "rules/a.yaml", 15)
    assert said["got"]["decision"] == "yes"
    assert said["got"]["effects"][0]["params"]["tag"] == "HIGH_FD"
    lines = {line["expr"]: line for line in said["because"]}
    assert lines["file.info.snr < 1.0"]["result"] == "unknown"
    assert lines["file.info.snr < 1.0"]["note"] == "file.info.snr is null"


def test_a_wrong_decision(lab: RuleSet) -> None:
    """Expected and got stand side by side."""
    test = lab.tests[0]
    result = run_test(test, lab.rules, lab.functions, {"file": {"name": "other"}}, NOW)
    assert result.differences[0] == "decision: expected yes, got no"


def test_a_test_that_hangs_on_today_is_pointed_out(lab: RuleSet) -> None:
    """A rule that reads `now` wants it told."""
    early = datetime.fromisoformat("2026-01-02T00:00:00+00:00")
    result = ran(lab, "aged", 1, early)
    assert result.status == "failed"
    assert "reads `now`" in result.note
    assert ran(lab, "aged", 0, early + timedelta(days=1)).note == ""


@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ({}, "`expect` says nothing"),
        ({"decisions": "yes"}, "`decisions` is unknown in `expect`; did you mean `decision`?"),
        ({"decision": True}, "`decision` is yes, no or unknown, not True"),
        ({"decision": "maybe"}, "`decision` is yes, no or unknown, not 'maybe'"),
        ({"effects": "tag"}, "`effects` is a list"),
        ({"effects": ["tag"]}, "an expected effect is a mapping such as {kind: tag, tag: NAME}, not 'tag'"),
    ],
)
def test_expectations_that_say_nothing(lab: RuleSet, expect: Any, message: str) -> None:
    """A test that cannot fail is an error, not a success."""
    test = replace(lab.tests[0], expect=expect)
    result = run_test(test, lab.rules, lab.functions, {"file": {"name": "a"}}, NOW)
    assert result.status == "error"
    assert result.differences[0].startswith(message)
    assert result.as_json()["got"] is None


def test_a_test_of_no_rule(lab: RuleSet) -> None:
    """A name that no rule has is said with the nearest one."""
    result = run_test(replace(lab.tests[0], rule="qcc"), lab.rules, lab.functions, {}, NOW)
    assert result.differences == ("there is no rule `qcc`; did you mean `qc`?",)
