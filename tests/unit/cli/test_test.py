"""`flyball test` on the command line: exit codes, and what is said of tests that fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flyball.cli.main import run
from support.lab import write_lab

NOWHERE = "127.0.0.1:9:__force_insecure:key"
RULES = """\
version: 1
rules:
  - id: qc
    since: all
    settle: 1h
    mode: shadow
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}
    tests:
      - given: {file: {name: a_mriqc.qa.html, classification: {Measurement: ["T2*"]}, info: {snr: 0.8}}}
        expect: {decision: yes, effects: [{kind: tag, tag: LOW_SNR}]}
        name: little signal
"""
FAILING = """
      - given: {file: {name: a_mriqc.qa.html, classification: {Measurement: ["T2*"]}, info: {snr: 1.2}}}
        expect: {decision: yes, effects: [{kind: tag, tag: LOW_SNR}]}
        name: too strict
      - given: documents/missing.yaml
        expect: {decision: no}
"""


Said = pytest.CaptureFixture[str]


def run_tests(config: Path, *more: str) -> int:
    return run(["--config", str(config), "test", *more])


def test_all_pass(tmp_path: Path, capsys: Said) -> None:
    """Exit code 0 and one line a test, without asking any site."""
    assert run_tests(write_lab(tmp_path, NOWHERE, RULES)) == 0
    said = capsys.readouterr()
    place = tmp_path / "config" / "rules" / "rules.yaml"
    assert said.out.splitlines() == [f"passed\tqc\tlittle signal\t{place}:13", "1 passed"]
    assert said.err == ""


def test_one_fails(tmp_path: Path, capsys: Said) -> None:
    """Exit code 1; what is not as expected, and how the rule came to it; a missing file is named."""
    config = write_lab(tmp_path, NOWHERE, RULES + FAILING.lstrip("\n"))
    assert run_tests(config) == 1
    said = capsys.readouterr().out
    assert 'expected effect is not asked for: {"kind":"tag","tag":"LOW_SNR"}' in said
    assert "file.info.snr = 1.2" in said
    assert f"there is no document file {config / 'documents' / 'missing.yaml'}" in said
    assert said.splitlines()[-1] == "1 passed, 1 failed, 1 could not be run"


def test_for_machines(tmp_path: Path, capsys: Said) -> None:
    """The same as JSON: every test with its place, its differences and the explanation."""
    config = write_lab(tmp_path, NOWHERE, RULES + FAILING.lstrip("\n"))
    assert run_tests(config, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], found["failed"], found["error"], found["rejected"]) == (1, 1, 1, [])
    failing = found["tests"][1]
    assert (failing["rule"], failing["name"], failing["line"], failing["status"]) == ("qc", "too strict", 16, "failed")
    assert failing["because"][-1]["values"] == {"file.info.snr": 1.2}


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "file: {name: x}"), ("a.json", '{"file": {"name": "x"}}')])
def test_document_files(tmp_path: Path, capsys: Said, name: str, text: str) -> None:
    """Read from the config folder, as YAML or JSON."""
    config = write_lab(tmp_path, NOWHERE, f"{RULES}      - {{given: {name}, expect: {{decision: no}}}}\n")
    (config / name).write_text(text)
    assert run_tests(config) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 passed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file: [", "a.yaml:1:8: this is no YAML"),
        ("- file", "is no map of level to document"),
        ("fiel: {}", "`fiel` is nothing that a rule on each file sees; did you mean `file`?"),
    ],
)
def test_broken_document_files(tmp_path: Path, capsys: Said, text: str, message: str) -> None:
    """Each with what is wrong in it."""
    config = write_lab(tmp_path, NOWHERE, f"{RULES}      - {{given: a.yaml, expect: {{decision: no}}}}\n")
    (config / "a.yaml").write_text(text)
    assert run_tests(config) == 1
    assert message in capsys.readouterr().out


def test_names_that_no_rule_has(tmp_path: Path, capsys: Said) -> None:
    """A usage error with the nearest name; a refused rule is told from a missing one."""
    config = write_lab(tmp_path, NOWHERE, RULES + "  - {id: broken, each: file}\n")
    assert run_tests(config, "--rule", "qcc") == 2
    assert capsys.readouterr().err == "there is no rule 'qcc'; did you mean `qc`?\n"
    assert run_tests(config, "--rule", "broken") == 2
    assert "the rule 'broken' is refused" in capsys.readouterr().err
    assert run_tests(config, "--rule", "qc") == 0
    assert run_tests(config) == 1  # nobody could run the tests of the refused one


def test_no_tests(tmp_path: Path, capsys: Said) -> None:
    """Nothing to do is no failure."""
    assert run_tests(write_lab(tmp_path, NOWHERE, RULES[: RULES.index("    tests:")])) == 0
    assert capsys.readouterr().out == "no tests\n"


def test_the_shipped_rules(capsys: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own tests pass."""
    monkeypatch.setenv("FLYWHEEL_API_KEY", NOWHERE)
    assert run_tests(Path(__file__).parents[3] / "config") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" passed")


SECRETIVE = """\
sites:
  main: {kind: flywheel, api_key: "env:NO_SUCH_KEY"}
  scout: {kind: neuroscout, url: "env:NO_URL", email: "env:NO_MAIL", password: "env:NO_WORD"}
channels: {lab: {kind: webhook, url: "env:NO_HOOK", secret: "env:NO_SECRET"}}
hooks: {lab: {secret: "file:/nowhere/at/all"}}
http: {token: "env:NO_TOKEN"}
"""
LAUNCHING = """\
rules:
  - id: recon
    each: session
    do: [{launch: {gear: g, on: session, once: target, secrets: {gear-LICENSE: env:NO_LICENCE}}}]
"""


def test_no_secret_needs_to_be_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests of rules run on anybody's machine; what asks a site still wants them all."""
    monkeypatch.setenv("HOME", str(tmp_path))
    config = write_lab(tmp_path, NOWHERE, RULES, extra={"more.yaml": LAUNCHING})
    (config / "flyball.yaml").write_text(SECRETIVE)
    assert run(["--config", str(config), "test"]) == 0
    assert "1 passed" in capsys.readouterr().out
    assert run(["--config", str(config), "check"]) == 2
    assert "NO_SUCH_KEY is not set" in capsys.readouterr().err
