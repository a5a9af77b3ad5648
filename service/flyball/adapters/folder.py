"""The folder that effects write to: files in one step, begun files kept for later, nothing through a symbolic link.

Every folder on the way is opened below the one before and never followed through a link, so no path leads outside,
whoever changes the tree meanwhile. All of it happens in threads: a slow disk holds up nobody.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
import stat
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, ParamSpec, TypeVar

import orjson

from flyball.adapters.tables import joined
from flyball.effects.lending import Local
from flyball.effects.paths import place_key
from flyball.model.errors import Permanent, Transient

P = ParamSpec("P")
T = TypeVar("T")
BUFFER: Final = 128 * 1024
"""Bytes of a download in memory before they go to disk."""

DIGESTS: Final = ("sha256", "sha384")
PLACES: Final = ".flyball/places"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DOWN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class DataFolder:
    """Files below the data folder; files of the config folder to read.

    Args:
        root: the data folder; made when something is written.
        config: the folder that local files are read from.
    """

    def __init__(self, root: Path, config: Path) -> None:
        self._root = root
        self._config = config
        self._places: dict[str, dict[str, Any]] | None = None
        self._lock = threading.Lock()
        self._joining = threading.Lock()

    async def size(self, path: str) -> int | None:
        """Bytes of a file, None when there is none."""
        return await _threaded(self._size, path)

    async def digest(self, path: str, name: str) -> str:
        """The hash of a file, in hex."""
        return await _threaded(self._digest, path, name)

    async def free(self) -> int:
        """Bytes that are free on the disk."""
        self._root.mkdir(parents=True, exist_ok=True)
        return (await asyncio.to_thread(shutil.disk_usage, self._root)).free

    async def write(self, path: str, content: bytes) -> None:
        """Write a small file whole, in one step; nothing if it is there with this content."""
        await _threaded(self._put, path, iter((content,)))

    async def claim(self, path: str, owner: str) -> str | None:
        """Make a place somebody's; None, or who had it before."""
        return await _threaded(self._claim, path, owner)

    async def seal(self, path: str, key: str) -> None:
        """Note what the file at a place is."""
        await _threaded(self._seal, path, key)

    async def sealed(self, path: str) -> str | None:
        """What the file at a place is, if it is there and was not changed since that was noted."""
        return await _threaded(self._sealed, path)

    @asynccontextmanager
    async def part(self, path: str, key: str) -> AsyncIterator[FilePart]:
        """Begin a file, or go on with one that was begun under the same key."""
        part = await _threaded(FilePart, *self._split(path), key)
        try:
            yield part
        finally:
            await asyncio.shield(asyncio.to_thread(part.close))

    async def copy(self, path: str, to: str) -> bool:
        """Put a copy of a file somewhere, in one step; False when the same is there."""
        return await _threaded(self._copy, path, to)

    async def join(self, paths: Sequence[str], to: str) -> bool:
        """Put the tables of several files together into one, in one step; False when the same is there."""
        return await _threaded(self._join, paths, to)

    def local(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of the config folder, hashed; it must not change meanwhile."""
        return _used(self._config, path, "the config folder")

    def data(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of this folder, hashed; it must not change meanwhile."""
        return _used(self._root, path, "the data folder")

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
            with _folder(root, folders, make=False) as down:
                found = os.stat(name, dir_fd=down, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _digest(self, path: str, name: str) -> str:
        root, folders, last = self._split(path)
        with _folder(root, folders, make=False) as down:
            descriptor = os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=down)
        with os.fdopen(descriptor, "rb") as file:
            return hashlib.file_digest(file, name).hexdigest()

    def _write(self, path: str, content: bytes) -> None:
        if self._size(path) == len(content) and self._digest(path, "sha256") == hashlib.sha256(content).hexdigest():
            return
        part = FilePart(*self._split(path), hashlib.sha256(content).hexdigest())
        try:
            part.begin_anew()
            part.add(content)
            part.finish()
        finally:
            part.close()

    def _claim(self, path: str, owner: str) -> str | None:
        with self._lock:
            place = self._known().setdefault(place_key(path), {})
            found = place.get("owner")
            if found is None:
                place["owner"] = owner
                self._note(path, place)
            return None if found in (None, owner) else str(found)

    def _seal(self, path: str, key: str) -> None:
        found = self._stat(path)
        if found is None:
            return
        with self._lock:
            place = self._known().setdefault(place_key(path), {})
            place |= {"key": key, "size": found.st_size, "time": found.st_mtime_ns}
            self._note(path, place)

    def _sealed(self, path: str) -> str | None:
        found = self._stat(path)
        with self._lock:
            place = self._known().get(place_key(path), {})
        if found is None or (place.get("size"), place.get("time")) != (found.st_size, found.st_mtime_ns):
            return None
        return str(place["key"])

    def _note(self, path: str, place: dict[str, Any]) -> None:
        with (self._root / PLACES).open("ab") as out:
            out.write(orjson.dumps([place_key(path), place]) + b"\n")

    def _known(self) -> dict[str, dict[str, Any]]:
        """Place → whose it is and what lies there, as written down; a line that a kill cut off is passed over."""
        if self._places is None:
            file = self._root / PLACES
            file.parent.mkdir(parents=True, exist_ok=True)
            self._places = {}
            text = file.read_bytes() if file.exists() else b""
            if text and not text.endswith(b"\n"):
                with file.open("ab") as out:
                    out.write(b"\n")
            for line in text.splitlines():
                with suppress(ValueError):
                    key, place = orjson.loads(line)
                    self._places[key] = place
        return self._places


class FilePart:
    """A file in the making, beside its place, under a name that tells what it will be.

    Attributes:
        size: bytes that came so far, written or not.
    """

    def __init__(self, root: Path, folders: Sequence[str], name: str, key: str) -> None:
        self._name = name
        self._temporary = f".{hashlib.sha256(f'{name}/{key}'.encode()).hexdigest()[:24]}.part"
        root.mkdir(parents=True, exist_ok=True)
        with _folder(root, folders, make=True) as down:
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
        await _threaded(self.begin_anew)

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        self._pieces.append(piece)
        self._held += len(piece)
        self.size += len(piece)
        if self._held >= BUFFER:
            await _threaded(self._flush)

    async def digest(self, name: str) -> str:
        """The hash of what came so far, in hex."""
        return await _threaded(self.hashed, name)

    async def commit(self) -> None:
        """All is there: it takes its place, in one step."""
        await _threaded(self.finish)

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


@asynccontextmanager
async def _used(base: Path, path: str, where: str) -> AsyncIterator[Local]:
    """A file below `base`, hashed.

    Raises:
        Permanent: there is no such file, or it lies elsewhere.
        Transient: it changed while it was used.
    """
    whole, before = await _threaded(_found, base, path, where)
    yield Local(str(whole), before.st_size, await _threaded(_digests_of, whole))
    after = await _threaded(whole.stat)
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise Transient(f"{path} changed while it was read")


def _found(base: Path, path: str, where: str) -> tuple[Path, os.stat_result]:
    base = base.resolve()
    whole = (base / path).resolve()
    if not whole.is_relative_to(base) or not whole.is_file():
        raise Permanent(f"there is no file {path} in {where}")
    return whole, whole.stat()


def _digests_of(path: Path) -> dict[str, str]:
    """The hashes of a file, in one reading."""
    digests = {name: hashlib.new(name) for name in DIGESTS}
    with path.open("rb") as file:
        while some := file.read(1024 * 1024):
            for digest in digests.values():
                digest.update(some)
    return {name: digest.hexdigest() for name, digest in digests.items()}


@contextmanager
def _folder(root: Path, folders: Sequence[str], *, make: bool) -> Iterator[int]:
    """The folder at the end of the way, opened; made on the way if need be."""
    down = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for part in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=down)
            try:
                deeper = os.open(part, _DOWN, dir_fd=down)
            except OSError as error:
                if error.errno in (errno.ELOOP, errno.ENOTDIR):
                    raise Permanent(f"{part} is a link or a file where a folder is to be") from error
                raise
            os.close(down)
            down = deeper
        yield down
    finally:
        os.close(down)


async def _threaded(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """Disk work off the event loop; what the disk complains about, named by what to do next."""
    try:
        return await asyncio.to_thread(work, *given, **named)
    except OSError as error:
        what = error.strerror or type(error).__name__
        if error.errno in _FULL:
            raise Transient(f"the disk is full ({what})", wait=60.0) from error
        if isinstance(error, PermissionError | NotADirectoryError | IsADirectoryError) or error.errno == errno.EROFS:
            raise Permanent(f"cannot write below the data folder: {what}") from error
        raise Transient(f"the disk does not do as asked: {what}") from error
