"""The compose file: a sound one, held down like the pods, without a secret in it, and fit for the program."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML

from flyball.cli.common import load_lab
from support.dockerfile import read

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "compose"


class Strict(BaseModel):
    """As the Compose Specification has it, as far as our file uses it; another key is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Build(Strict):
    """How an image is built."""

    context: str
    args: dict[str, str]


class Depends(Strict):
    """What a service waits for."""

    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Mount(Strict):
    """A volume or a folder of the host's."""

    type: Literal["bind", "volume", "tmpfs"]
    source: str
    target: Annotated[str, Field(pattern="^/")]
    read_only: bool = False


class Health(Strict):
    """A health check."""

    test: list[str]
    interval: str
    timeout: str
    retries: int
    start_period: str


class Logging(Strict):
    """Where the log goes."""

    driver: str
    options: dict[str, str]


class Service(Strict):
    """One service."""

    image: str
    build: Build | None = None
    init: bool = False
    user: Annotated[str, Field(pattern=r"^[1-9]\d*:[1-9]\d*$")]
    read_only: bool
    cap_drop: list[str]
    cap_add: list[str] = []
    security_opt: list[str]
    tmpfs: list[str] = []
    shm_size: str | None = None
    pids_limit: int
    mem_limit: str
    restart: Literal["no", "always", "on-failure", "unless-stopped"]
    stop_grace_period: str
    depends_on: dict[str, Depends] = {}
    environment: dict[str, str]
    secrets: list[str]
    ports: list[str] = []
    networks: list[str]
    volumes: list[Mount]
    healthcheck: Health | None = None
    logging: Logging


class Network(Strict):
    """A network."""

    internal: bool = False


class Nothing(Strict):
    """A volume as it comes."""


class Secret(Strict):
    """A secret from a file."""

    file: str


class Compose(Strict):
    """The file."""

    name: str
    services: dict[str, Service]
    networks: dict[str, Network]
    volumes: dict[str, Nothing]
    secrets: dict[str, Secret]


TEXT = (FOLDER / "compose.yaml").read_text("utf-8")
PLAIN: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
FILE = Compose.model_validate(PLAIN)


def test_an_unknown_key_is_found() -> None:
    """The check of the check."""
    daemon = {**PLAIN["services"]["flyball"], "restarts": "always"}
    with pytest.raises(ValidationError, match="restarts"):
        Compose.model_validate({**PLAIN, "services": {"flyball": daemon}})


def test_services_are_held_down() -> None:
    """A numbered user, a read-only root, no capabilities, bounds for memory, processes and logs."""
    for service in FILE.services.values():
        assert service.read_only
        assert (service.cap_drop, service.cap_add) == (["ALL"], [])
        assert service.security_opt == ["no-new-privileges:true"]
        assert service.logging.options.keys() == {"max-size", "max-file"}
    assert FILE.services["flyball"].init
    stages = read(ROOT / "Dockerfile")[1]
    assert FILE.services["flyball"].user == stages[-1].one("USER").text


def test_everything_named_is_declared() -> None:
    """Networks, volumes, secrets and services that are used are there, and those that are there are used."""
    services = FILE.services.values()
    assert {name for one in services for name in one.networks} == FILE.networks.keys()
    assert {name for one in services for name in one.secrets} == FILE.secrets.keys()
    assert {mount.source for one in services for mount in one.volumes if mount.type == "volume"} == FILE.volumes.keys()
    for service in services:
        assert service.depends_on.keys() <= FILE.services.keys()
        for name, wait in service.depends_on.items():
            assert wait.condition != "service_healthy" or FILE.services[name].healthcheck is not None


def test_the_database_is_reached_by_the_daemon_alone() -> None:
    """No port of it is open, and its network leads nowhere; the daemon's port is on loopback."""
    database = FILE.services["postgres"]
    assert database.ports == []
    assert [FILE.networks[name].internal for name in database.networks] == [True]
    assert all(port.startswith("127.0.0.1:") for port in FILE.services["flyball"].ports)


def test_no_secret_is_in_the_environment() -> None:
    """What is secret is named as a file below /run/secrets, one of the service's own."""
    for service in FILE.services.values():
        for name, value in service.environment.items():
            if re.search("KEY|TOKEN|PASSWORD|STORE", name):
                path = value.removeprefix("file:")
                assert path.startswith("/run/secrets/")
                assert path.removeprefix("/run/secrets/") in service.secrets


def test_the_secrets_are_made_once(tmp_path: Path) -> None:
    """The script makes what can be made up, with a password that the store's address has too; a second run changes
    nothing, and the program takes the files.
    """
    script = tmp_path / "make-secrets.sh"
    shutil.copy2(FOLDER / "make-secrets.sh", script)
    said = subprocess.run([str(script)], capture_output=True, check=True).stdout.decode()
    assert "flywheel-key" in said
    folder = tmp_path / "secrets"
    assert {f"secrets/{path.name}" for path in folder.iterdir()} == {one.file for one in FILE.secrets.values()}
    assert folder.stat().st_mode & 0o777 == 0o700
    first = {path.name: path.read_text() for path in folder.iterdir()}
    assert first["store"] == f"postgresql://flyball:{first['postgres-password']}@postgres:5432/flyball"
    assert len({first["token"], first["postgres-password"]}) == 2
    assert len(first["token"]) >= 32
    (folder / "flywheel-key").write_text("site.example.org:nobodys-key")
    assert subprocess.run([str(script)], capture_output=True, check=True).stdout == b""
    assert {path.name: path.read_text() for path in folder.iterdir()} == {
        **first,
        "flywheel-key": "site.example.org:nobodys-key",
    }
    given = FILE.services["flyball"].environment
    environment = {name: value.replace("/run/secrets", str(folder)) for name, value in given.items()}
    lab = load_lab(environment, config=ROOT / "config")
    assert lab.rules.rejected == ()
    assert lab.settings.http.token is not None
    assert lab.settings.http.token.get_secret_value() == first["token"]
    assert lab.settings.ledger == first["store"]
