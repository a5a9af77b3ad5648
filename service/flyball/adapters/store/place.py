"""The folder and the file a ledger lives in: made for its owner's eyes only, and never on a network file system.

SQLite's write-ahead log needs memory that all its processes share; network file systems do not give that, and the file
comes to harm (SQLite's manual, "Write-Ahead Logging", section on disadvantages).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from flyball.model.errors import ConfigError

MOUNTS: Final = Path("/proc/self/mountinfo")

# File systems whose files live on another machine. FUSE ones carry their own name after the dot; local ones
# (fuse-overlayfs, mergerfs, encrypted folders) are fine.
_NETWORK: Final = {
    *("9p", "afs", "beegfs", "ceph", "cifs", "coda", "davfs", "gfs", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs"),
    *("nfs", "nfs4", "ocfs2", "orangefs", "pvfs2", "smb2", "smb3", "smbfs"),
    *("fuse.blobfuse", "fuse.blobfuse2", "fuse.ceph", "fuse.ceph-fuse", "fuse.cephfs", "fuse.curlftpfs", "fuse.davfs"),
    *("fuse.davfs2", "fuse.gcsfuse", "fuse.glusterfs", "fuse.goofys", "fuse.juicefs", "fuse.mount-s3", "fuse.nfs"),
    *("fuse.rclone", "fuse.s3fs", "fuse.smbnetfs", "fuse.sshfs"),
}


def filesystem_of(path: str, mounts: str) -> str | None:
    """The type of the file system that holds the absolute `path`, by the text of /proc/self/mountinfo.

    Of several mounts on the same point the last one hides the others. None if the text names no mount above `path`.
    """
    best, kind = -1, None
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        inside = path == point or path.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= best:
            best, kind = len(point), after.split(" ", 1)[0]
    return kind


def refuse_network(folder: Path) -> None:
    """Raises ConfigError if `folder`, which may not exist yet, lies on a network file system.

    Where the system does not tell (no /proc), nothing is refused.
    """
    try:
        mounts = MOUNTS.read_text()
    except OSError:
        return
    kind = filesystem_of(os.path.realpath(folder), mounts)
    if kind in _NETWORK:
        raise ConfigError(
            f"the data folder {folder} is on a network file system ({kind}), where a ledger file is not safe: "
            "set `data` to a folder on a local disk, or `store` to a postgresql:// address"
        )


def prepare_folder(folder: Path) -> None:
    """Makes `folder`, readable by its owner alone, unless it is there; one that a person made keeps its mode."""
    refuse_network(folder)
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"the data folder {folder} is a file: set `data` to a folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)


def create_file(path: Path) -> None:
    """Makes an empty `path` that only its owner reads and writes, unless there is one.

    An existing file is not even opened: closing any handle on it would drop the locks that SQLite holds on it in this
    process. SQLite gives the files beside it the same mode.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    os.close(descriptor)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
