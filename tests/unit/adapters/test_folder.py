"""The data folder: whole files in one step, begun ones kept, nothing through links, places that belong to somebody."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from flyball.adapters.folder import DataFolder
from flyball.model.errors import Permanent, Transient


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    """An empty one."""
    (tmp_path / "config").mkdir()
    return DataFolder(tmp_path / "var", tmp_path / "config")


async def test_a_file_appears_whole(folder: DataFolder, tmp_path: Path) -> None:
    """Nothing is in its place before the end, and nothing beside it after."""
    async with folder.part("a/b/c.txt", "key") as part:
        await part.write(b"one ")
        assert await folder.size("a/b/c.txt") is None
        await part.write(b"two")
        assert await part.digest("sha256") == hashlib.sha256(b"one two").hexdigest()
        await part.commit()
    assert (tmp_path / "var/a/b/c.txt").read_bytes() == b"one two"
    assert [one.name for one in (tmp_path / "var/a/b").iterdir()] == ["c.txt"]
    assert await folder.digest("a/b/c.txt", "sha256") == hashlib.sha256(b"one two").hexdigest()


async def test_a_begun_file_is_gone_on_with(folder: DataFolder) -> None:
    """Under its own key; another version begins anew."""
    async with folder.part("c", "v1") as part:
        await part.write(b"x" * 1000)
    async with folder.part("c", "v1") as part:
        assert part.size == 1000
        await part.restart()
        assert part.size == 0
    async with folder.part("c", "v2") as part:
        assert part.size == 0
    assert await folder.size("c") is None


@pytest.mark.parametrize("path", ["../x", "a/../../x", "/etc/x", "a//b", ""])
async def test_paths_that_lead_elsewhere(folder: DataFolder, path: str) -> None:
    """Are refused, whoever made them."""
    with pytest.raises(Permanent):
        async with folder.part(path, "key"):
            pass


async def test_links_are_not_followed(folder: DataFolder, tmp_path: Path) -> None:
    """A link on the way is refused; one in the file's place is replaced, and what it leads to stays."""
    (tmp_path / "var").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "var/link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Permanent, match="link"):
        await folder.write("link/x", b"x")
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "var/file").symlink_to(tmp_path / "secret")
    await folder.write("file", b"mine")
    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert (tmp_path / "var/file").read_bytes() == b"mine"


async def test_a_folder_where_a_file_is_to_be(folder: DataFolder, tmp_path: Path) -> None:
    """It stays, and the reason is told."""
    (tmp_path / "var/x").mkdir(parents=True)
    with pytest.raises(Permanent, match="folder"):
        await folder.write("x", b"1")


async def test_a_full_disk_is_waited_for(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """What came stays; nothing half is in its place."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with folder.part("big", "key") as part:
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(Transient, match="the disk is full"):
            await part.write(b"x" * 300_000)
    monkeypatch.undo()
    assert await folder.size("big") is None


async def test_places_belong_to_whoever_came_first(folder: DataFolder, tmp_path: Path) -> None:
    """On file systems without case too, and in the next process, also after a line that was cut off."""
    assert await folder.claim("a/File", "one") is None
    assert await folder.claim("a/File", "one") is None
    assert await folder.claim("A/file", "two") == "one"
    with (tmp_path / "var/.flyball/places").open("ab") as file:
        file.write(b'["half')
    again = DataFolder(tmp_path / "var", tmp_path / "config")
    assert await again.claim("a/file", "two") == "one"
    assert await again.claim("b", "two") is None
    assert await DataFolder(tmp_path / "var", tmp_path / "config").claim("b", "three") == "two"


async def test_seals_hold_until_the_file_changes(folder: DataFolder, tmp_path: Path) -> None:
    """A file that somebody changed is not taken for ours."""
    await folder.write("x", b"one")
    await folder.seal("x", "version 1")
    assert await DataFolder(tmp_path / "var", tmp_path / "config").sealed("x") == "version 1"
    (tmp_path / "var/x").write_bytes(b"other")
    assert await folder.sealed("x") is None
    assert await folder.sealed("y") is None


async def test_a_local_file_that_changes_meanwhile(folder: DataFolder, tmp_path: Path) -> None:
    """Is tried again later; one outside of the folder is refused."""
    (tmp_path / "config/a").write_bytes(b"one")

    async def use() -> None:
        async with folder.local("a") as local:
            assert local.digests["sha256"] == hashlib.sha256(b"one").hexdigest()
            (tmp_path / "config/a").write_bytes(b"another")

    with pytest.raises(Transient, match="changed while it was read"):
        await use()
    with pytest.raises(Permanent):
        async with folder.local("../var/x"):
            pass


async def test_tables_are_joined_under_one_heading(folder: DataFolder, tmp_path: Path) -> None:
    """Bytes as they were; other headings are brought together; JSON lists become one."""
    await folder.write("p/1.csv", b'"a\nb",c\r\n1,2\r\n')
    await folder.write("p/2.csv", b'"a\nb",c\r\n=3,4')
    assert await folder.join(["p/1.csv", "p/gone.csv", "p/2.csv"], "all.csv")
    assert (tmp_path / "var/all.csv").read_bytes() == b'"a\nb",c\r\n1,2\r\n=3,4\r\n'
    assert not await folder.join(["p/1.csv", "p/2.csv"], "all.csv")
    await folder.write("p/3.csv", b"c,d\r\n5,6\r\n")
    await folder.join(["p/1.csv", "p/3.csv"], "all.csv")
    assert (tmp_path / "var/all.csv").read_bytes() == b'"a\nb",c,d\r\n1,2,\r\n,5,6\r\n'
    await folder.write("p/1.json", b'[{"a":1}]')
    await folder.write("p/2.json", b'{"data":[{"a":2}]}')
    await folder.join(["p/1.json", "p/2.json"], "all.json")
    assert (tmp_path / "var/all.json").read_bytes() == b'[{"a":1},\n{"a":2}]\n'
