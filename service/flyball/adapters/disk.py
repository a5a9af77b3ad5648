"""Disk work off the event loop: folders opened one below the other, never through a link; errors by what to do next."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from flyball.effects.lending import Local
from flyball.model.errors import Permanent, Transient

P = ParamSpec("P")
T = TypeVar("T")
DIGESTS: Final = ("sha256", "sha384")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_DOWN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@asynccontextmanager
async def used(base: Path, path: str, where: str) -> AsyncIterator[Local]:
    """A file below `base`, hashed.

    Raises:
        Permanent: there is no such file, or it lies elsewhere.
        Transient: it changed while it was used.
    """
    whole, before = await threaded(_found, base, path, where)
    yield Local(str(whole), before.st_size, await threaded(_digests_of, whole))
    after = await threaded(whole.stat)
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
def folder_at(root: Path, folders: Sequence[str], *, make: bool) -> Iterator[int]:
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


async def threaded(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
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
