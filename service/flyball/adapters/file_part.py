"""A file in the making: what came is kept beside its place until all is there, also across attempts."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from flyball.adapters.disk import folder_at, threaded
from flyball.model.errors import Permanent

BUFFER: Final = 128 * 1024
"""Bytes of a download in memory before they go to disk."""


class FilePart:
    """A file in the making, beside its place, under a name that tells what it will be.

    Attributes:
        size: bytes that came so far, written or not.
    """

    def __init__(self, root: Path, folders: Sequence[str], name: str, key: str) -> None:
        self._name = name
        self._temporary = f".{hashlib.sha256(f'{name}/{key}'.encode()).hexdigest()[:24]}.part"
        root.mkdir(parents=True, exist_ok=True)
        with folder_at(root, folders, make=True) as down:
            self._down = os.dup(down)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.open(self._temporary, flags, 0o666, dir_fd=self._down)
        except BaseException:
            os.close(self._down)
            raise
        self.size = os.lseek(self._file, 0, os.SEEK_END)
        self._pieces: list[bytes] = []
        self._held = 0

    async def restart(self) -> None:
        """Forget all that came so far."""
        await threaded(self.begin_anew)

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        self._pieces.append(piece)
        self._held += len(piece)
        self.size += len(piece)
        if self._held >= BUFFER:
            await threaded(self._flush)

    async def digest(self, name: str) -> str:
        """The hash of what came so far, in hex."""
        return await threaded(self.hashed, name)

    async def commit(self) -> None:
        """All is there: it takes its place, in one step."""
        await threaded(self.finish)

    # --- in threads

    def begin_anew(self) -> None:
        """Empty again."""
        self._pieces, self._held, self.size = [], 0, 0
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)

    def add(self, content: bytes) -> None:
        """Take some more, at once."""
        self._pieces.append(content)
        self.size += len(content)
        self._flush()

    def finish(self) -> None:
        """On disk, then in its place, then the folder on disk."""
        self._flush()
        os.fsync(self._file)
        try:
            os.replace(self._temporary, self._name, src_dir_fd=self._down, dst_dir_fd=self._down)
        except (IsADirectoryError, NotADirectoryError) as error:
            raise Permanent(f"there is a folder named {self._name} where a file is to be") from error
        os.fsync(self._down)

    def close(self) -> None:
        """Keep what came for later; an empty beginning goes."""
        try:
            self._flush()
            if not self.size:
                os.unlink(self._temporary, dir_fd=self._down)
        except OSError:
            pass  # gone already, or the disk is full: the next attempt sees what is there
        finally:
            os.close(self._file)
            os.close(self._down)

    def _flush(self) -> None:
        pieces, self._pieces, self._held = self._pieces, [], 0
        for piece in pieces:
            left = memoryview(piece)
            while left:
                left = left[os.write(self._file, left) :]

    def hashed(self, name: str) -> str:
        """The hash of what came so far, in hex."""
        self._flush()
        digest = hashlib.new(name)
        begin = 0
        while some := os.pread(self._file, 1024 * 1024, begin):
            digest.update(some)
            begin += len(some)
        return digest.hexdigest()
