"""Rule files: notices that one was written, added or removed, also where nobody is told of it.

The system tells of changes only while it is listened to, and of some file systems (network folders, folders that are
swapped as a whole) not at all. So the files' stamps are compared as well: when listening begins, and now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from pathlib import Path
from typing import Final

from watchfiles import awatch

from flyball.rules.reading.folder import rule_files

GATHER_MS: Final = 100  # an editor's several writes are one change
COMPARE_MS: Final = 5_000  # between two looks at the stamps
_Stamps = dict[Path, tuple[int, int]]


class RuleFiles:
    """The files below a folder, and others that they name.

    Args:
        folder: of the rules; it need not be there.
        named: gives the files elsewhere that the rules name, as they are read now.
    """

    def __init__(self, folder: Path, named: Callable[[], Collection[Path]]) -> None:
        self._folder = folder
        self._named = named
        self._known = _stamps(rule_files(folder))

    async def changes(self, stop: asyncio.Event) -> AsyncGenerator[None]:
        """Once for each time that something is not as it was before, until `stop`.

        Of the folder's files, the first time counts from when this was made.
        """
        self._known |= _stamps(self._named())
        while self._folder.is_dir() and not stop.is_set():
            named = set(self._named())
            told = awatch(
                self._folder,
                *named,
                step=GATHER_MS,
                stop_event=stop,
                rust_timeout=COMPARE_MS,
                yield_on_timeout=True,
                recursive=True,
            )
            async for files in told:
                present = _stamps((*rule_files(self._folder), *self._named()))
                if files or present != self._known:
                    self._known = present
                    yield
                if named != set(self._named()):
                    break  # others are to be listened to now


def _stamps(paths: Iterable[Path]) -> _Stamps:
    """File → when it was written, in ns, and its size."""
    found: _Stamps = {}
    for path in paths:
        with contextlib.suppress(OSError):  # gone just now, or a link to nothing
            told = path.stat()
            found[path] = (told.st_mtime_ns, told.st_size)
    return found
