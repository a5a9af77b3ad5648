"""Two sites, one of them dead: it holds up nobody's work but its own."""

from __future__ import annotations

import signal
from pathlib import Path

import orjson

from support.lab import QUICK_JOBS, write_lab
from support.process import STOPPED, DaemonProgram, Program, SandboxProgram, run_once, until

QC = """
version: 1
rules:
  - {id: qc-alive, site: alive, since: all, each: file, scope: {file: "*mriqc.qa*"},
     do: [{tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}}]}
  - {id: qc-dead, site: dead, since: all, each: file, scope: {file: "*mriqc.qa*"},
     do: [{tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0}}}]}
"""
HANG = {"kind": "hang"}


def two_sites(folder: Path, alive: SandboxProgram, dead: SandboxProgram, silence: str = "60s") -> Path:
    """A config folder for both."""
    config = write_lab(folder, alive.key, QC)
    told = orjson.loads((config / "flyball.yaml").read_bytes())
    base = {**told["sites"]["main"], "timeouts": {"silence": silence}}
    told["sites"] = {"alive": base, "dead": {**base, "api_key": dead.key}}
    (config / "flyball.yaml").write_bytes(orjson.dumps(told))
    return config


def tagged(box: SandboxProgram) -> int:
    """How many acquisitions carry the tag."""
    return sum("LOW_SNR" in (row["tags"] or ()) for row in box.api("/acquisitions?limit=1000"))


def test_a_dead_site_holds_up_nobody_else(tmp_path: Path) -> None:
    """It never answers: the daemon and a single run do the other site's work meanwhile; afterwards its own is done."""
    scenario = {"jobs": QUICK_JOBS}
    with SandboxProgram(tmp_path / "a", scenario) as alive, SandboxProgram(tmp_path / "d", scenario) as dead:
        dead.misbehave(HANG)
        config = two_sites(tmp_path, alive, dead, silence="10m")
        with Program(["--config", str(config), "run", "--until-idle"], folder=tmp_path) as once:
            until(lambda: tagged(alive) >= 3, 90, "the site that is alive is worked on", every=0.1)
            assert once.running, "it waits for the other site"
            once.send(signal.SIGTERM)
            assert once.wait(STOPPED) == 1, once.err
        with DaemonProgram(config) as daemon:
            until(lambda: daemon.status()["sites"]["alive"]["ok"], 90, "the site that is alive is read", every=0.1)
            assert not daemon.status()["sites"]["dead"]["ok"]
        dead.behave()
        config = two_sites(tmp_path, alive, dead)
        assert run_once(config).process.returncode == 0
        assert tagged(dead) == tagged(alive)


def test_a_single_run_is_stopped_while_its_writes_hang(tmp_path: Path) -> None:
    """Long before its requests end, and what was cut off is found out afterwards."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(tmp_path, box.key, site={"limits": {"concurrency": 4, "per_second": 0}})
        box.misbehave({"kind": "hang", "commit": True, "method": "POST"})
        with Program(["--config", str(config), "run", "--until-idle"], folder=tmp_path) as once:
            until(lambda: box.requests()["faults"][0]["hits"] >= 4, 90, "requests hang")
            once.send(signal.SIGTERM)
            assert once.wait(STOPPED) == 1, once.err
        box.behave()
        assert run_once(config).process.returncode == 0
        before = box.writes()
        assert run_once(config).process.returncode == 0
        assert box.writes() == before
