"""A program in a root of its own: nothing in it but what is put there, read-only, as a container would have it.

It is made with mounts in a namespace of the process (`unshare`, util-linux), so that nothing is left behind and no
container engine is needed. Host and network are shared.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/proc", "/dev", "/etc/ssl", "/etc/passwd", "/etc/localtime")
"""What a slim base image has, taken from this machine: programs and libraries."""
SCRATCH = "/tmp"  # noqa: S108 - a file system of its own, inside


def _may() -> bool:
    tools = all(shutil.which(name) for name in ("unshare", "mount", "chroot"))
    return tools and subprocess.run([*_unshare(), "true"], capture_output=True, check=False).returncode == 0


def _unshare() -> list[str]:
    return ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]


@dataclass(slots=True)
class EmptyRoot:
    """A root folder, described.

    Attributes:
        folder: an empty folder of this machine, which becomes `/`.
        seen: path inside → path of this machine, read-only, besides the system's.
        written: path inside → path of this machine, which may be written.
        user: number of user and group, where this process may choose one.
    """

    folder: Path
    seen: dict[str, Path] = field(default_factory=dict)
    written: dict[str, Path] = field(default_factory=dict)
    user: int = 10001

    def start(self, command: Sequence[str], environment: Mapping[str, str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a program in it; the process started is the program itself, so signals reach it."""
        return subprocess.Popen([*_unshare(), "sh", "-euc", self._script(command, environment)], **options)

    def run(self, command: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
        """Run a program in it to its end."""
        script = self._script(command, environment)
        return subprocess.run([*_unshare(), "sh", "-euc", script], capture_output=True, timeout=60, check=False)

    def _script(self, command: Sequence[str], environment: Mapping[str, str]) -> str:
        root = shlex.quote(str(self.folder))
        lines = [
            f"mount --bind {root} {root}",
            f"mkdir -p {root}{SCRATCH}",
            f"mount -t tmpfs -o size=64m,mode=1777 tmpfs {root}{SCRATCH}",
        ]
        system = {path: Path(path) for path in SYSTEM if Path(path).exists()}
        for inside, outside in sorted({**system, **self.seen, **self.written}.items()):
            there, here = shlex.quote(f"{self.folder}{inside}"), shlex.quote(str(outside))
            make = f"mkdir -p {there}" if outside.is_dir() else f'mkdir -p "$(dirname {there})" && touch {there}'
            lines += [make, f"mount --rbind {here} {there}"]
            if inside not in self.written and not inside.startswith(("/proc", "/dev")):
                lines.append(f"mount -o remount,ro,bind {there}")
        lines.append(f"mount -o remount,ro,bind {root}")
        user = [f"--userspec={self.user}:{self.user}"] if os.geteuid() == 0 else []
        given = [f"{name}={value}" for name, value in environment.items()]
        inner = ["chroot", *user, str(self.folder), "/usr/bin/env", "-i", *given, *command]
        lines.append("exec " + shlex.join(inner))
        return "\n".join(lines)


POSSIBLE = _may()
"""Whether this machine lets us make one."""
