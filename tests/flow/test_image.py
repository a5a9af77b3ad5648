"""What the container image would run, without a container engine: in an empty, read-only root, as nobody in particular.

The quick test takes the installed libraries as the image's; the slow one performs the Dockerfile's own steps first.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from flyball.adapters.store.migrations import HEAD
from flyball.adapters.store.sqlite import LEDGER_NAME
from support.dockerfile import Stage, read
from support.emptyroot import POSSIBLE, EmptyRoot
from support.process import START, STOPPED, ask, until
from support.server import Server

ROOT = Path(__file__).parents[2]
ARGUMENTS, (BUILD, IMAGE) = read(ROOT / "Dockerfile")
pytestmark = pytest.mark.skipif(not POSSIBLE, reason="this machine lets nobody make mount namespaces")
LIBRARIES = [path for path in map(Path, sys.path) if path.name == "site-packages" and path.is_dir()]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that any user may look into."""
    folder = Path(tempfile.mkdtemp(prefix="flyball-image-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def lab(place: Path, user: int = 10001) -> EmptyRoot:
    """An empty root with a config, a key in a file, and a folder that the user may write to."""
    config, data, keys = place / "config", place / "data", place / "keys"
    for folder in (config / "rules", data, keys, place / "root"):
        folder.mkdir(parents=True)
        folder.chmod(0o755)
    (config / "flyball.yaml").write_text("sites: {main: {api_key: env:FLYWHEEL_API_KEY}}\n")
    (keys / "key").write_text("127.0.0.1:9:__force_insecure:nobodyskey")
    (keys / "token").write_text("t" * 40)
    if os.geteuid() == 0:
        os.chown(data, user, user)
    data.chmod(0o700)
    return EmptyRoot(place / "root", {"/config": config, "/run/secrets": keys}, {"/data": data}, user)


def answers(root: EmptyRoot, stage: Stage, **more: str) -> None:
    """Start what the image starts; it is alive, healthy to its own check, writes to /data alone, and ends in time."""
    environment = {
        **stage.environment,
        "FLYBALL_HTTP__PORT": "0",
        "FLYBALL_SITES__MAIN__API_KEY": "file:/run/secrets/key",
        "FLYBALL_HTTP__TOKEN": "file:/run/secrets/token",
        **more,
    }
    command = [*stage.one("ENTRYPOINT").listed, *stage.one("CMD").listed]
    log = root.written["/data"].with_name("log")
    with log.open("wb") as stderr:
        daemon = root.start(command, environment, stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True)
    try:
        port = until(lambda: port_in(log.read_text()) or daemon.poll() is not None, START, "the daemon answers")
        assert daemon.poll() is None, log.read_text()
        assert ask(f"http://127.0.0.1:{port}/healthz").status == 200
        check = stage.one("HEALTHCHECK").listed
        assert root.run(check, {**environment, "FLYBALL_HTTP__PORT": str(port)}).returncode == 0
        assert root.run(check, {**environment, "FLYBALL_HTTP__PORT": "9"}).returncode == 1
        assert root.run(["/usr/bin/touch", "/opt/x"], environment).returncode == 1
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(STOPPED) == 0, log.read_text()
    finally:
        if daemon.poll() is None:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait(STOPPED)
    shown = log.read_text()
    assert "nobodyskey" not in shown
    assert "t" * 40 not in shown


def port_in(log: str) -> int:
    """The port that a daemon's log names; 0 as long as it does not."""
    found = re.search(r"http://[^/\s]*:(\d+)/", "".join(line for line in log.splitlines() if "http.listening" in line))
    return 0 if found is None else int(found[1])


def test_the_image_s_last_stage_answers(place: Path) -> None:
    """User, environment, entry point and health check of the last stage work in an empty, read-only root."""
    root = lab(place)
    paths = furnish(root, place)
    answers(root, IMAGE, PYTHONPATH=paths)
    ledger = root.written["/data"] / LEDGER_NAME
    assert os.geteuid() != 0 or ledger.stat().st_uid == 10001


def test_the_image_runs_on_postgresql(place: Path) -> None:
    """With the database's address in a file, as the compose file and the manifests give it; the ledger is there."""
    server = Server.shared()
    address = server.new_database()
    socket = Path(parse_qs(urlsplit(address).query)["host"][0])
    root = lab(place, socket.stat().st_uid or 10001)
    paths = furnish(root, place)
    root.seen[str(socket)] = socket
    (place / "keys" / "store").write_text(address)
    answers(root, IMAGE, PYTHONPATH=paths, FLYBALL_STORE="file:/run/secrets/store")
    assert not (root.written["/data"] / LEDGER_NAME).exists()
    assert server.query(address, "SELECT version_num FROM alembic_version") == [(HEAD,)]


def furnish(root: EmptyRoot, place: Path) -> str:
    """Put program and libraries where the image has them; PYTHONPATH for them."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    (package,) = wheel["packages"]
    root.seen["/opt/flyball/lib/flyball"] = ROOT / package
    paths = ["/opt/flyball/lib"]
    for number, library in enumerate(LIBRARIES):
        root.seen[f"/opt/libraries/{number}"] = library
        paths.append(f"/opt/libraries/{number}")
    scripts = place / "bin"
    scripts.mkdir()
    base = os.path.realpath(sys.executable)
    if not base.startswith("/usr/"):
        root.seen[sys.base_prefix] = Path(sys.base_prefix)
    for name, arguments in (("flyball", "-m flyball "), ("python", "")):
        (scripts / name).write_text(f'#!/bin/sh\nexec {base} {arguments}"$@"\n')
        (scripts / name).chmod(0o755)
    root.seen["/opt/flyball/bin"] = scripts
    return ":".join(paths)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_dockerfile_s_steps_make_what_answers(place: Path) -> None:
    """Each RUN and COPY of the build stage, with this machine's Python as base; the result in an empty root."""
    made = place / "image"
    base = place / "base"
    venv.create(base, with_pip=False, symlinks=True)
    environment = {**os.environ, **BUILD.environment, "PATH": f"{base}/bin:{os.environ['PATH']}"}
    work = made
    for step in BUILD.steps:
        if step.name == "WORKDIR":
            work = Path(f"{made}{step.text}")
            work.mkdir(parents=True)
        elif step.name == "COPY":
            *sources, target = step.text.split()
            for source in sources:
                copy(ROOT / source, work / target / (source if target == "./" else ""))
        elif step.name == "RUN":
            text = re.sub(r"(?<![\w.])/(opt|dist|src)\b", rf"{made}/\1", step.text)
            done = subprocess.run(["sh", "-euc", text], cwd=work, env=environment, capture_output=True, check=False)
            assert done.returncode == 0, f"line {step.line}: {done.stdout.decode()}{done.stderr.decode()}"
    for target in (path for step in IMAGE.all("COPY") for path in step.text.split()[1:2]):
        relocate(made, Path(f"{made}{target}"))
    root = lab(place)
    root.seen["/opt/flyball"] = made / "opt" / "flyball"
    if not os.path.realpath(sys.executable).startswith("/usr/"):
        root.seen[sys.base_prefix] = Path(sys.base_prefix)
    answers(root, IMAGE)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder, without what .dockerignore leaves out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"), dirs_exist_ok=True)
    else:
        shutil.copy2(source, target)


def relocate(made: Path, folder: Path) -> None:
    """The environment was built below another folder than in an image: its own paths lose that part."""
    python = folder / "bin" / "python"
    real = os.path.realpath(python)
    for path in (folder / "bin").iterdir():
        if path.is_symlink():
            continue
        content = path.read_bytes()
        if content.startswith(b"#!"):
            path.write_bytes(content.replace(f"{made}/".encode(), b"/"))
    python.unlink()
    python.symlink_to(real)
