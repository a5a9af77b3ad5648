"""The program as people run it, process by process: once, for good, stopped, started twice, and given bad input."""

from __future__ import annotations

import hmac
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.lab import NOTES, QUICK_JOBS, SHIPPED, write_lab
from support.process import STOPPED, Answer, DaemonProgram, Program, SandboxProgram, command, run_once, until
from support.truth import compare, good_reports, over_http

FOR_GOOD = ("--config", "config", "run")
SLOW_WRITES = {"kind": "slow", "delay_s": 1.5, "method": "POST"}  # a stop waits for them, and can be seen to


@pytest.fixture
def box(tmp_path: Path) -> Iterator[SandboxProgram]:
    """The lab's site as a process of its own."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as program:
        yield program


# Once


@pytest.mark.parametrize("dialect", ["v23", pytest.param("live19", marks=pytest.mark.slow)])
def test_until_idle_twice(dialect: str, tmp_path: Path) -> None:
    """The first run does what the rules demand and exits with 0; the second writes nothing; `--json` says how it went."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS, "dialect": dialect}) as box:
        config = write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
        first = run_once(config)
        assert first.process.returncode == 0, first.err
        assert "launch" in first.out
        assert not compare(over_http(box.api), notes=True)
        before = box.requests()["by_method"]
        second = run_once(config, "--json")
        after = box.requests()["by_method"]
    assert second.process.returncode == 0, second.err
    assert {method for method in after if after[method] != before.get(method, 0)} == {"GET"}
    said = json.loads(second.out)
    assert said["idle"] is True
    assert said["sites"]["main"]["ok"] is True
    assert said["effects"]["running"] == said["effects"]["waiting"] == said["effects"]["failed"] == 0
    assert said["rules"]["recon-all"]["effects"]["done"] == 22


@pytest.mark.slow
def test_the_shipped_lab_as_it_is_twice(tmp_path: Path) -> None:
    """With the shipped settings and rules, their waits for quiet included, on a sandbox whose jobs take their time."""
    with SandboxProgram(tmp_path) as box:
        given = {"FLYWHEEL_API_KEY": box.key, "FLYBALL_DATA": str(tmp_path / "var")}
        arguments = ("--config", str(SHIPPED.parent), "run", "--until-idle")
        first = command(*arguments, folder=tmp_path, environment=given)
        assert first.process.returncode == 0, first.err
        writes = box.writes()
        assert writes > 30
        second = command(*arguments, folder=tmp_path, environment=given)
        assert second.process.returncode == 0, second.err
        assert box.writes() == writes


# Stopped


def test_a_stop_in_the_middle_of_the_work(box: SandboxProgram, tmp_path: Path) -> None:
    """It ends soon with 0, says so meanwhile, leaves nothing running, and the next run finishes the work."""
    config = write_lab(tmp_path, box.key, site={"limits": {"concurrency": 3, "per_second": 0}})
    box.misbehave(SLOW_WRITES)
    with DaemonProgram(config) as daemon:
        before = box.writes()
        until(lambda: box.writes() >= before + 3, 90, "the work begins")
        asked = time.monotonic()
        daemon.send(signal.SIGTERM)
        said = until(lambda: _readiness_while_stopping(daemon), 90, "readiness says that it stops", every=0.005)
        assert daemon.wait(STOPPED) == 0, daemon.err
        took = time.monotonic() - asked
    assert said == (503, "stopping")
    print(f"stopped within {took:.2f} s")
    listed = json.loads(command("--config", str(config), "--json", "effects", folder=tmp_path).out)
    states = {row["state"] for row in listed}
    assert "running" not in states
    assert "done" in states
    assert {"planned", "waiting"} & states, "the stop came after the work"
    done = sum(1 for row in listed if row["state"] == "done" and row["kind"] != "alert")
    assert done >= box.writes() - 3, "outcomes were not written"
    box.behave()
    assert run_once(config).process.returncode == 0
    assert not compare(over_http(box.api))


def _readiness_while_stopping(daemon: DaemonProgram) -> tuple[int, str] | None:
    try:
        answer = daemon.ask("/readyz", timeout=2)
    except OSError:
        assert daemon.running, "it ended without saying that it stops"
        return None
    status = answer.json()["status"]
    return (answer.status, status) if status not in ("ready", "starting", "degraded") else None


def test_a_stop_while_the_site_hangs(box: SandboxProgram, tmp_path: Path) -> None:
    """Requests that never end are cut off: the stop does not wait for them, and what they did is found out afterwards."""
    limits = {"limits": {"concurrency": 4, "per_second": 0}}
    config = write_lab(tmp_path, box.key, site=limits, hooks={"lab": {"secret": "env:HOOK"}})
    box.misbehave({"kind": "hang", "commit": True, "method": "POST"})
    with DaemonProgram(config, {"HOOK": "s3cret"}) as daemon:
        assert _deliver(daemon).status == 202
        until(lambda: box.requests()["faults"][0]["hits"] >= 4, 90, "requests hang")
        asked = time.monotonic()
        daemon.send(signal.SIGTERM)
        refused = until(lambda: said if (said := _deliver(daemon)).status == 503 else None, 90, "hooks are closed")
        assert refused is not None
        assert int(refused.headers["retry-after"]) > 0
        assert daemon.wait(STOPPED) == 0, daemon.err
        took = time.monotonic() - asked
    print(f"a hanging site: stopped within {took:.2f} s")
    box.behave()
    assert run_once(config, environment={"HOOK": "s3cret"}).process.returncode == 0
    assert not compare(over_http(box.api))


def _deliver(daemon: DaemonProgram) -> Answer:
    """A webhook's delivery, signed."""
    body = b'{"target": "scien/tome"}'
    signature = f"sha256={hmac.new(b's3cret', body, 'sha256').hexdigest()}"
    headers = {"X-Hub-Signature-256": signature, "Content-Type": "application/json"}
    return daemon.ask("/hooks/lab", "POST", body=body, headers=headers)


def test_a_stop_of_a_single_run(box: SandboxProgram, tmp_path: Path) -> None:
    """`run --until-idle` obeys SIGINT (the other signal) too, and the next run finishes."""
    config = write_lab(tmp_path, box.key, site={"limits": {"concurrency": 2, "per_second": 0}})
    box.misbehave(SLOW_WRITES)
    with Program([*FOR_GOOD, "--until-idle"], folder=config.parent) as program:
        until(lambda: box.writes() >= 2, 90, "the work begins")
        program.send(signal.SIGINT)
        assert program.wait(STOPPED) in (0, 1)
    box.behave()
    assert run_once(config).process.returncode == 0
    assert not compare(over_http(box.api))


# Started twice


def test_a_second_daemon_is_refused(box: SandboxProgram, tmp_path: Path) -> None:
    """One ledger, one daemon: the second ends with 2 and names the first."""
    config = write_lab(tmp_path, box.key)
    with DaemonProgram(config) as daemon:
        for more in ([], ["--until-idle"]):
            with Program([*FOR_GOOD, *more], folder=config.parent) as second:
                assert second.wait(90) == 2
                assert str(daemon.pid) in second.err
                assert "Traceback" not in second.err


# The demo


def test_the_demo_ends_with_a_summary(tmp_path: Path) -> None:
    """It acts, ends by itself with 0, and sums up tags, alerts and launches."""
    with Program(["demo", "--once"], folder=tmp_path) as demo:
        until(lambda: "+ tag " in demo.out or not demo.running, 90, "the first action", every=0.05)
        acted = time.monotonic() - demo.began
        assert demo.wait(240) == 0, demo.err
        took = time.monotonic() - demo.began
    print(f"demo: first action after {acted:.1f} s, ended after {took:.1f} s")
    said = demo.out.split("What was done:")[1]
    for word in ("tag INCOMPLETE", "tag LOW_SNR", "tag HIGH_FD", "alerts", "launches"):
        assert word in said


@pytest.mark.slow
def test_the_demo_for_machines(tmp_path: Path) -> None:
    """With `--json` the summary is one JSON document and nothing else is printed."""
    demo = command("demo", "--once", "--json", folder=tmp_path, seconds=240)
    assert demo.process.returncode == 0, demo.err
    said = json.loads(demo.out)
    assert min(said["tags"][tag] for tag in ("INCOMPLETE", "LOW_SNR", "HIGH_FD")) > 0
    assert said["alerts"] > 0
    assert said["launches"] >= 20
    assert said["failed"] == 0


# Bad input

BROKEN = """version: 1
rules:
  - id: fine
    each: file
    if: file.info.snr < 1.0
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
  - id: misspelt
    each: file
    settel: 2h
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
  - id: unparsable
    each: file
    if: file.info.snr <
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
"""


def test_broken_rules_are_named_with_their_place(tmp_path: Path) -> None:
    """`check` ends with 2 and says file, line, column and what would be right; a run does the rest and ends with 1."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(tmp_path, box.key, BROKEN)
        checked = command("--config", str(config), "check", folder=tmp_path)
        ran = run_once(config)
    assert checked.process.returncode == 2
    lines = checked.err.splitlines()
    assert any("rules.yaml:9:5:" in line and "settel" in line and "settle" in line for line in lines), checked.err
    assert any("rules.yaml:13:" in line for line in lines), checked.err
    assert "Traceback" not in checked.err
    assert "1 rules in 1 files, 2 refused" in checked.out
    assert ran.process.returncode == 1
    assert "settel" in ran.err


WRONG_SETTINGS = {
    "top": (
        '{"sites": {"main": {"api_key": "127.0.0.1:1:__force_insecure:k"}}, "htpp": {"port": 1}}',
        ("htpp", "http"),
    ),
    "below": ('{"sites": {"main": {"api_key": "127.0.0.1:1:__force_insecure:k", "pol": {}}}}', ("pol", "poll")),
    "secret": ('{"sites": {"main": {"api_key": "lab.example.org:plainly-a-secret"}}}', ("env:", "file:")),
    "unset": ("sites: {main: {api_key: env:NOT_SET_ANYWHERE}}", ("NOT_SET_ANYWHERE",)),
    "yaml": ("sites: [", ("flyball.yaml:1:",)),
}


def test_broken_settings_end_with_two(tmp_path: Path) -> None:
    """Commands that read them say which key is wrong and what would be right, without repeating a secret."""
    started: list[tuple[Program, tuple[str, ...]]] = []
    for name, (settings, words) in WRONG_SETTINGS.items():
        config = tmp_path / name / "config"
        (config / "rules").mkdir(parents=True)
        (config / "flyball.yaml").write_text(settings)
        verb = ["run", "--until-idle"] if name == "below" else ["check"]
        started.append((Program(["--config", str(config), *verb], folder=tmp_path / name), words))
    for program, words in started:
        assert program.wait(90) == 2
        for word in words:
            assert word in program.err, program.err
        assert "plainly-a-secret" not in program.err + program.out
        assert "Traceback" not in program.err


@pytest.mark.slow
def test_a_site_that_comes_up_late(tmp_path: Path) -> None:
    """While it is down, readiness names the site, its address and what to check; once it is up, nothing was lost."""
    with SandboxProgram(tmp_path / "early", {"jobs": QUICK_JOBS}) as early:
        key, port = early.key, early.port
    config = write_lab(tmp_path, key)
    with DaemonProgram(config) as daemon:
        said = until(
            lambda: (found := daemon.ask("/readyz")).json()["checks"]["sites"]["main"]["error"] and found,
            90,
            "readiness shows the trouble",
        )
        assert said.status == 200
        assert said.json()["status"] == "degraded"
        error = said.json()["checks"]["sites"]["main"]["error"]
        assert "main" in error
        assert f"127.0.0.1:{port}" in error
        assert "check" in error
        assert said.json()["checks"]["sites"]["main"]["ok"] is False
        with SandboxProgram(tmp_path / "late", {"jobs": QUICK_JOBS}, port=port) as late:
            until(lambda: daemon.ask("/readyz").json()["status"] == "ready", 90, "the site is read", every=0.1)
            daemon.idle()
            assert not compare(over_http(late.api))


def test_a_site_that_goes_away_for_a_while(box: SandboxProgram, tmp_path: Path) -> None:
    """What changes while nobody can be reached is found afterwards."""
    config = write_lab(tmp_path, box.key)
    with DaemonProgram(config) as daemon:
        until(lambda: daemon.ask("/readyz").json()["status"] == "ready", 90, "the first round", every=0.1)
        daemon.idle()
        scan, report = good_reports(box.api("/acquisitions?limit=1000&include_all_info=true"))[0]
        box.misbehave({"kind": "reset_before", "path": "^/(?!acquisitions/[0-9a-f]{24}/files)"})
        until(lambda: not daemon.status()["sites"]["main"]["ok"], 90, "the trouble shows", every=0.1)
        box.api(f"/acquisitions/{scan}/files/{report}/info", "POST", {"set": {"snr": 0.5}})
        box.behave()
        until(lambda: box.api(f"/acquisitions/{scan}")["tags"] == ["LOW_SNR"], 90, "the change is acted on", every=0.1)
        daemon.idle()
        assert not compare(over_http(box.api))


def test_a_wrong_key_shows_in_readiness(box: SandboxProgram, tmp_path: Path) -> None:
    """The site's name, its address and what to check are there, the key is not; `check --online` ends with 2."""
    wrong = f"{box.key.rsplit(':', 1)[0]}:{'wrong' * 11}ke"
    config = write_lab(tmp_path, wrong)
    with DaemonProgram(config) as daemon:
        found = until(
            lambda: daemon.ask("/readyz").json()["checks"]["sites"]["main"]["error"], 90, "the refusal shows", every=0.1
        )
        assert daemon.ask("/readyz").json()["status"] == "degraded"
    assert "main" in found
    assert f"127.0.0.1:{box.port}" in found
    assert "key" in found
    checked = command("--config", str(config), "check", "--online", folder=tmp_path)
    assert checked.process.returncode == 2
    assert "key" in checked.out + checked.err
    assert "wrongwrong" not in checked.out + checked.err + found + daemon.err
