"""The systemd unit: known directives, the hardening that the docs promise, and settings that the program knows."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from flyball.cli.common import load_lab

UNIT = Path(__file__).parents[3] / "deploy" / "systemd" / "flyball.service"
DIRECTIVES = {
    "Unit": {"Description", "Wants", "After", "StartLimitIntervalSec", "StartLimitBurst"},
    "Service": {
        *("Type", "ExecStart", "Environment", "LoadCredential", "KillSignal", "TimeoutStopSec", "Restart"),
        *("RestartSec", "DynamicUser", "StateDirectory", "StateDirectoryMode", "WorkingDirectory", "UMask"),
        *("ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "ProtectProc"),
        *("ProcSubset", "ProtectClock", "ProtectControlGroups", "ProtectHostname", "ProtectKernelLogs"),
        *("ProtectKernelModules", "ProtectKernelTunables", "InaccessiblePaths", "NoNewPrivileges"),
        *("CapabilityBoundingSet", "AmbientCapabilities", "LockPersonality", "RemoveIPC"),
        *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictRealtime", "RestrictSUIDSGID"),
        *("SystemCallArchitectures", "SystemCallFilter", "SystemCallErrorNumber", "LimitNOFILE", "MemoryHigh"),
        *("MemoryMax", "TasksMax"),
    },
    "Install": {"WantedBy"},
}
"""The directives of systemd.unit(5), systemd.service(5), systemd.exec(5) and systemd.resource-control(5) in use."""


def entries(section: str) -> list[tuple[str, str]]:
    """Directives and values of a section, in order; some stand there more than once."""
    found: list[tuple[str, str]] = []
    now = ""
    for line in UNIT.read_text("utf-8").splitlines():
        if match := re.fullmatch(r"\[(\w+)\]", line):
            now = match[1]
        elif line and not line.startswith("#"):
            name, sign, value = line.partition("=")
            assert sign, line
            if now == section:
                found.append((name, value))
    return found


def test_directives_are_known() -> None:
    """Each stands in the section where systemd reads it."""
    sections = configparser.RawConfigParser(strict=False, delimiters=("=",))
    sections.read(UNIT)
    assert sections.sections() == list(DIRECTIVES)
    for section, known in DIRECTIVES.items():
        assert {name for name, _ in entries(section)} - known == set()


def test_the_unit_is_hardened() -> None:
    """No rights, nothing to write but its own folder, few system calls."""
    service = dict(entries("Service"))
    for name in ("DynamicUser", "ProtectHome", "PrivateTmp", "PrivateDevices", "NoNewPrivileges", "RestrictNamespaces"):
        assert service[name] == "yes"
    assert service["ProtectSystem"] == "strict"
    assert service["CapabilityBoundingSet"] == ""
    assert ("SystemCallFilter", "~@privileged") in entries("Service")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed here")
def test_systemd_s_own_check(tmp_path: Path) -> None:
    """`systemd-analyze verify` says nothing, once the program is where the unit looks for it."""
    unit = tmp_path / "flyball.service"
    unit.write_text(UNIT.read_text("utf-8").replace("/opt/flyball/bin/flyball", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


def test_the_program_takes_what_the_unit_gives_it(tmp_path: Path) -> None:
    """Its environment is settings, and each credential that they name is loaded."""
    given = dict(value.split("=", 1) for name, value in entries("Service") if name == "Environment")
    loaded = {value.split(":")[0] for name, value in entries("Service") if name == "LoadCredential"}
    named = {value.removeprefix("file:%d/") for value in given.values() if value.startswith("file:%d/")}
    assert named == loaded
    for name, text in {"flywheel-key": "site.example.org:nobodys-key", "token": "t" * 40}.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "config" / "rules").mkdir(parents=True)
    (tmp_path / "config" / "flyball.yaml").write_text("sites: {main: {api_key: env:FLYWHEEL_API_KEY}}\n")
    environment = {name: value.replace("%d", str(tmp_path)) for name, value in given.items()}
    settings = load_lab(environment, config=tmp_path / "config").settings
    assert str(settings.data_dir) == "/var/lib/flyball"
    assert settings.http.token is not None
