"""Files of the lab: read below the config folder, written whole below `data`, nothing elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.adapters.folders import LabFolders
from flyball.model.errors import Permanent, Transient


@pytest.fixture
def folders(tmp_path: Path) -> LabFolders:
    """A lab with a config folder that holds one file, beside a secret."""
    (tmp_path / "config" / "events").mkdir(parents=True)
    (tmp_path / "config" / "events" / "a.tsv").write_bytes(b"onset")
    (tmp_path / "secret").write_bytes(b"hunter2")
    (tmp_path / "config" / "link").symlink_to(tmp_path / "secret")
    return LabFolders(tmp_path / "config", tmp_path / "var")


async def test_a_file_is_read(folders: LabFolders) -> None:
    """By its path below the config folder, up to a size."""
    assert await folders.read("events/a.tsv", most=5) == b"onset"
    with pytest.raises(Permanent, match="larger than 4 bytes"):
        await folders.read("events/a.tsv", most=4)
    with pytest.raises(Permanent, match="cannot be read"):
        await folders.read("events/b.tsv", most=5)


@pytest.mark.parametrize("path", ["../secret", "link", "/etc/hostname", "events/../../secret", "", "a\x00b"])
async def test_nothing_outside_is_touched(folders: LabFolders, path: str, tmp_path: Path) -> None:
    """Neither by steps upwards, nor by links, nor by absolute paths."""
    with pytest.raises(Permanent):
        await folders.read(path, most=100)
    if path != "link":
        with pytest.raises(Permanent):
            await folders.save(path, b"x")
    assert (tmp_path / "secret").read_bytes() == b"hunter2"


async def test_a_file_is_written_whole(folders: LabFolders, tmp_path: Path) -> None:
    """With its folders; another one replaces it; nothing else is left behind."""
    assert await folders.save("bundles/Life/x.tar.gz", b"one") == "bundles/Life/x.tar.gz"
    assert await folders.save("bundles/Life/x.tar.gz", b"two") == "bundles/Life/x.tar.gz"
    assert [path.name for path in (tmp_path / "var" / "bundles" / "Life").iterdir()] == ["x.tar.gz"]
    assert (tmp_path / "var" / "bundles" / "Life" / "x.tar.gz").read_bytes() == b"two"


async def test_what_cannot_be_written_now_is_tried_again(folders: LabFolders, tmp_path: Path) -> None:
    """A file stands where a folder should be."""
    (tmp_path / "var").mkdir()
    (tmp_path / "var" / "bundles").write_bytes(b"")
    with pytest.raises(Transient, match="cannot be written"):
        await folders.save("bundles/x", b"one")
