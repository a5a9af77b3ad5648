"""Where a ledger may live."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.adapters.store import place
from flyball.model.errors import ConfigError

MOUNTS = r"""
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
23 22 0:22 / /sys rw,relatime - sysfs sysfs rw
36 22 0:31 / /home rw,relatime shared:5 - nfs4 filer:/home rw,vers=4.2
37 36 254:9 / /home/local rw,relatime - xfs /dev/vdb rw
38 22 0:33 / /mnt/lab\040share rw,relatime - cifs //filer/lab rw
39 22 0:34 / /srv/over rw - ext4 /dev/vdc rw
40 39 0:35 / /srv/over rw - fuse.sshfs lab:/ rw
41 22 0:36 / /ctr rw - fuse.fuse-overlayfs fuse-overlayfs rw
nonsense
42 22 0:37 / /half
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "ext4"),
        ("/var/data", "ext4"),
        ("/home", "nfs4"),
        ("/home/ann/data", "nfs4"),
        ("/homework", "ext4"),
        ("/home/local/data", "xfs"),
        ("/mnt/lab share/x", "cifs"),
        ("/srv/over/x", "fuse.sshfs"),
        ("/ctr/x", "fuse.fuse-overlayfs"),
    ],
)
def test_filesystem_of(path: str, kind: str) -> None:
    """The innermost mount decides, of several on one point the last; escapes are undone, names not confused."""
    assert place.filesystem_of(path, MOUNTS) == kind


def test_filesystem_unknown() -> None:
    """Without a mount above the path the type is unknown."""
    assert place.filesystem_of("/x", "") is None


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "lustre"])
def test_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A folder on a network file system is refused with its type and the remedies, before anything is made."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path} rw - {kind} filer:/x rw\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    with pytest.raises(ConfigError, match=rf"network file system \({kind}\).*`data`.*postgresql"):
        place.prepare_folder(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_symbolic_links_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link on a local disk to a folder on a network file system is refused."""
    (tmp_path / "remote").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "remote")
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 1 0:1 / / rw - ext4 x rw\n2 1 0:2 / {tmp_path}/remote rw - nfs filer:/x rw\n")
    monkeypatch.setattr(place, "MOUNTS", mounts)
    with pytest.raises(ConfigError, match=r"network file system \(nfs\)"):
        place.refuse_network(tmp_path / "link" / "data")


def test_nothing_is_refused_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that does not list its mounts the folder is made."""
    monkeypatch.setattr(place, "MOUNTS", tmp_path / "none")
    place.prepare_folder(tmp_path / "data")
    assert (tmp_path / "data").is_dir()


def test_modes(tmp_path: Path) -> None:
    """A new folder and file are their owner's alone; a folder that a person made keeps its mode."""
    place.prepare_folder(tmp_path / "a" / "data")
    assert (tmp_path / "a" / "data").stat().st_mode & 0o777 == 0o700
    place.create_file(tmp_path / "a" / "data" / "file")
    assert (tmp_path / "a" / "data" / "file").stat().st_mode & 0o777 == 0o600

    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o750)
    place.prepare_folder(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o750


def test_existing_file_is_left_alone(tmp_path: Path) -> None:
    """A file that is there keeps its content and mode."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "file").chmod(0o640)
    place.create_file(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_folder_that_is_a_file(tmp_path: Path) -> None:
    """A data folder that is a file is named as such."""
    (tmp_path / "data").write_text("")
    with pytest.raises(ConfigError, match="is a file: set `data` to a folder"):
        place.prepare_folder(tmp_path / "data")
