"""The folder that effects write to: files in one step, begun files kept for later, nothing through a symbolic link.

Every folder on the way is opened below the one before and never followed through a link, so no path leads outside,
whoever changes the tree meanwhile. All of it happens in threads: a slow disk holds up nobody.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from flyball.adapters.disk import folder_at, threaded, used
from flyball.adapters.file_part import FilePart
from flyball.adapters.places import Places
from flyball.adapters.tables import joined
from flyball.effects.lending import Local
from flyball.model.errors import Permanent

PLACES: Final = ".flyball/places"


class DataFolder:
    """Files below the data folder; files of the config folder to read.

    Args:
        root: the data folder; made when something is written.
        config: the folder that local files are read from.
    """

    def __init__(self, root: Path, config: Path) -> None:
        self._root = root
        self._config = config
        self._places = Places(root / PLACES)
        self._joining = threading.Lock()

    async def size(self, path: str) -> int | None:
        """Bytes of a file, None when there is none."""
        return await threaded(self._size, path)

    async def digest(self, path: str, name: str) -> str:
        """The hash of a file, in hex."""
        return await threaded(self._digest, path, name)

    async def free(self) -> int:
        """Bytes that are free on the disk."""
        self._root.mkdir(parents=True, exist_ok=True)
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    async def write(self, path: str, content: bytes) -> None:
        """Write a small file whole, in one step; nothing if it is there with this content."""
        await threaded(self._put, path, iter((content,)))

    async def claim(self, path: str, owner: str) -> str | None:
        """Make a place somebody's; None, or who had it before."""
        return await threaded(self._places.claim, path, owner)

    async def seal(self, path: str, key: str) -> None:
        """Note what the file at a place is."""
        await threaded(self._seal, path, key)

    async def sealed(self, path: str) -> str | None:
        """What the file at a place is, if it is there and was not changed since that was noted."""
        return await threaded(self._sealed, path)

    @asynccontextmanager
    async def part(self, path: str, key: str) -> AsyncIterator[FilePart]:
        """Begin a file, or go on with one that was begun under the same key."""
        part = await threaded(FilePart, *self._split(path), key)
        try:
            yield part
        finally:
            await asyncio.shield(asyncio.to_thread(part.close))

    async def copy(self, path: str, to: str) -> bool:
        """Put a copy of a file somewhere, in one step; False when the same is there."""
        return await threaded(self._copy, path, to)

    async def join(self, paths: Sequence[str], to: str) -> bool:
        """Put the tables of several files together into one, in one step; False when the same is there."""
        return await threaded(self._join, paths, to)

    def local(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of the config folder, hashed; it must not change meanwhile."""
        return used(self._config, path, "the config folder")

    def data(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of this folder, hashed; it must not change meanwhile."""
        return used(self._root, path, "the data folder")

    # --- in threads

    def _copy(self, path: str, to: str) -> bool:
        with (self._root / path).open("rb") as file:
            return self._put(to, iter(lambda: file.read(1024 * 1024), b""))

    def _join(self, paths: Sequence[str], to: str) -> bool:
        with self._joining:
            return self._put(to, joined([self._root / path for path in paths], paths[0].rsplit(".", 1)[-1]))

    def _put(self, path: str, pieces: Iterator[bytes]) -> bool:
        """Write a file whole, in one step; False when it has this content."""
        part = FilePart(*self._split(path), f"put/{threading.get_ident()}")
        try:
            part.begin_anew()
            for piece in pieces:
                part.add(piece)
            same = self._size(path) == part.size and self._digest(path, "sha256") == part.hashed("sha256")
            if same:
                part.begin_anew()
            else:
                part.finish()
        finally:
            part.close()
        return not same

    def _split(self, path: str) -> tuple[Path, list[str], str]:
        *folders, name = path.split("/")
        if not name or any(part in ("", ".", "..") for part in folders):
            raise Permanent(f"{path!r} is no path of a file")
        return self._root, folders, name

    def _size(self, path: str) -> int | None:
        found = self._stat(path)
        return None if found is None else found.st_size

    def _stat(self, path: str) -> os.stat_result | None:
        root, folders, name = self._split(path)
        try:
            with folder_at(root, folders, make=False) as down:
                found = os.stat(name, dir_fd=down, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _digest(self, path: str, name: str) -> str:
        root, folders, last = self._split(path)
        with folder_at(root, folders, make=False) as down:
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=down)
        with os.fdopen(descriptor, "rb") as file:
            return hashlib.file_digest(file, name).hexdigest()

    def _seal(self, path: str, key: str) -> None:
        found = self._stat(path)
        if found is not None:
            self._places.seal(path, key, found)

    def _sealed(self, path: str) -> str | None:
        found = self._stat(path)
        return None if found is None else self._places.sealed(path, found)
