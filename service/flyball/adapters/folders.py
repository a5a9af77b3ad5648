"""Files of the lab: read below the config folder, written below `data`; nothing else is touched."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from flyball.model.errors import Permanent, Transient


class LabFolders:
    """`effects.scout.port.Folders` over the file system.

    Args:
        config: the config folder.
        data: the folder to write to.
    """

    def __init__(self, config: Path, data: Path) -> None:
        self._config = config
        self._data = data

    async def read(self, path: str, *, most: int) -> bytes:
        """A file below the config folder."""
        return await asyncio.to_thread(self._read, path, most)

    async def save(self, path: str, content: bytes) -> str:
        """Write a file below `data`, whole or not at all."""
        return await asyncio.to_thread(self._save, path, content)

    def _read(self, path: str, most: int) -> bytes:
        place = _below(self._config, path, "the config folder")
        try:
            if place.stat().st_size > most:
                raise Permanent(f"{path} is larger than {most} bytes")
            return place.read_bytes()
        except OSError as error:
            raise Permanent(f"{path} in the config folder cannot be read ({error.strerror})") from error

    def _save(self, path: str, content: bytes) -> str:
        place = _below(self._data, path, "the data folder")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=place.parent, prefix=".flyball-", delete=False) as file:
                try:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    Path(file.name).replace(place)
                except BaseException:
                    Path(file.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise Transient(f"{path} cannot be written ({error.strerror})", status=507) from error
        return str(place.relative_to(self._data.resolve()))


def _below(folder: Path, path: str, name: str) -> Path:
    """The file named, if it lies in the folder, links followed.

    Raises:
        Permanent: it does not.
    """
    root = folder.resolve()
    try:
        place = (root / path.replace("\\", "_")).resolve()
    except (OSError, ValueError) as error:
        raise Permanent(f"{path[:80]!r} is no path of a file") from error
    if place == root or not place.is_relative_to(root):
        raise Permanent(f"{path[:80]!r} leads out of {name}")
    return place
