"""Planted secrets: whatever the daemon writes, answers or stores, none of them is in it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram, command, run_once, until
from support.receiver import Receiver
from support.truth import compare, over_http

LICENCE = "planted.owner@example.org\n48151623\n *Cplantedlicence\n FSplantedlicence"
TOKEN = "planted-token-9f2c"
SIGNING = "planted-signing-secret-77"
ADDRESS = "planted-part-of-an-address"


def parts_of(key: str) -> list[str]:
    """Every text that must not appear: whole secrets, and the lines and parts by which they could be known."""
    return [key.rsplit(":", 1)[-1], TOKEN, SIGNING, ADDRESS, *(line.strip() for line in LICENCE.splitlines())]


def assert_clean(name: str, content: str | bytes, parts: list[str]) -> None:
    """No secret is in it, neither as it is nor with its characters escaped."""
    text = content if isinstance(content, bytes) else content.encode()
    for part in parts:
        assert part.encode() not in text, f"{name} holds {part!r}"


@pytest.mark.parametrize("dialect", ["v23", pytest.param("live19", marks=pytest.mark.slow)])
def test_no_secret_gets_anywhere(dialect: str, tmp_path: Path) -> None:
    """API key, token, signing secret, secret address, a gear's licence: not in logs, ledger, answers, page or tables."""
    with Receiver() as receiver, SandboxProgram(tmp_path / "site", {"jobs": QUICK_JOBS, "dialect": dialect}) as box:
        environment = {
            "FLYWHEEL_API_KEY": box.key,
            "FLYBALL_TOKEN": TOKEN,
            "LAB_SECRET": SIGNING,
            "LAB_URL": f"{receiver.url}/{ADDRESS}",
            "FS_LICENSE": LICENCE,
        }
        config = write_lab(
            tmp_path,
            "env:FLYWHEEL_API_KEY",
            extra={"notes.yaml": NOTES},
            notify="lab",
            channels={"lab": {"kind": "webhook", "url": "env:LAB_URL", "secret": "env:LAB_SECRET"}},
            http={"port": 0, "token": "env:FLYBALL_TOKEN"},
            log={"level": "debug"},
        )
        parts = parts_of(box.key)
        bearer = {"Authorization": f"Bearer {TOKEN}"}
        box.misbehave({"kind": "status", "status": 500, "path": "/analyses$", "method": "POST", "count": 2})
        with DaemonProgram(config, environment) as daemon:
            _until_idle(daemon, bearer)
            lists = ["effects", "decisions", "events", "alerts", "rules"]
            for path in ["/status", "/readyz", "/metrics", "/", *(f"/api/{name}?limit=1000" for name in lists)]:
                assert_clean(path, daemon.ask(path, headers=bearer).body, parts)
            launches = daemon.ask("/api/effects?kind=launch&limit=1000", headers=bearer).json()["results"]
            for row in launches:
                assert_clean(f"effect {row['id']}", daemon.ask(f"/api/effects/{row['id']}", headers=bearer).body, parts)
            _assert_folder_is_clean(tmp_path / "var", parts)
            daemon.kill()
            assert_clean("the log", daemon.err + daemon.out, parts)
            assert len(daemon.log()) > 50
        sent = [box.api(f"/jobs/{row['outcome']['job']}") for row in launches if (row["outcome"] or {}).get("job")]
        licences = [job["config"]["config"].get("gear-FREESURFER_LICENSE") for job in sent]
        assert LICENCE in licences, "the licence went nowhere, so that nothing is shown by its absence"
        assert receiver.messages
        assert all(
            message.headers.get("x-hub-signature-256", "").startswith("sha256=") for message in receiver.messages
        )
        box.behave()
        for verb in (["run", "--until-idle"], ["check", "--online"], ["plan", "--json"], ["effects"]):
            program = command("--config", str(config), *verb, folder=tmp_path, environment=environment)
            assert_clean(" ".join(verb), program.out + program.err, parts)
        assert not compare(over_http(box.api), notes=True)
        _assert_folder_is_clean(tmp_path / "var", parts)


def _until_idle(daemon: DaemonProgram, bearer: dict[str, str]) -> None:
    until(lambda: daemon.ask("/status", headers=bearer).json()["idle"], 90, "the daemon is idle", every=0.1)


def _assert_folder_is_clean(folder: Path, parts: list[str]) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.stat().st_size > 100_000 for path in files), "there is no ledger"
    for path in files:
        assert_clean(str(path), path.read_bytes(), parts)


@contextmanager
def echoing_site() -> Iterator[str]:
    """A site that answers every request with an error in which the request's headers are repeated; its host:port."""

    class Echo(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said: dict[str, Any] = {"message": f"bad request with {dict(self.headers)} at {self.path}"}
            content = json.dumps(said).encode()
            self.send_response(400)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@pytest.mark.parametrize("secret", ["planted" * 3, "planted" * 8 + "!"])
def test_a_site_that_repeats_the_key_in_its_errors(secret: str, tmp_path: Path) -> None:
    """What a site says in an error is shown without the key that it repeats, whichever scheme carried it."""
    with echoing_site() as address:
        config = write_lab(tmp_path, f"{address}:__force_insecure:{secret}", log={"level": "debug"})
        ran = run_once(config, "--json")
        checked = command("--config", str(config), "check", "--online", folder=tmp_path)
    assert ran.process.returncode == 1
    for program in (ran, checked):
        assert "bad request with" in program.out + program.err
        assert_clean("the output", program.out + program.err, [secret])
    for path in (tmp_path / "var").rglob("*"):
        if path.is_file():
            assert_clean(str(path), path.read_bytes(), [secret])
