"""Files of the config folder that rules name: found, bounded, hashed once for each content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flyball.model.errors import ConfigError

LARGEST_TEXT: Final = 32 * 1024 * 1024
"""Bytes of a file that is read whole (a table)."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of the config folder, as it was when the rules were read."""

    path: Path
    sha256: str
    size: int

    def content(self) -> bytes:
        """Its bytes.

        Raises:
            ConfigError: it is too large to be read whole.
        """
        if self.size > LARGEST_TEXT:
            raise ConfigError(f"it has {self.size:,} bytes; at most {LARGEST_TEXT:,} are read")
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise ConfigError(f"it cannot be read: {error.strerror}") from error


class ConfigFiles:
    """The files of one config folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[Path, tuple[tuple[int, int, int], LocalFile]] = {}

    def __iter__(self) -> Iterator[Path]:
        """The files that were asked for."""
        return iter(tuple(self._known))

    def find(self, name: str) -> LocalFile:
        """A file by its path relative to the folder.

        Raises:
            ConfigError: there is none, or it lies outside.
        """
        base = self._folder.resolve()
        path = (base / name).resolve()
        if not path.is_relative_to(base):
            raise ConfigError(f"{name} is outside of the config folder: paths are relative to it")
        try:
            stat = path.stat()
            if not path.is_file():
                raise ConfigError(f"{name} is no file of the config folder")
            mark = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
            known = self._known.get(path)
            if known is not None and known[0] == mark:
                return known[1]
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except FileNotFoundError:
            raise ConfigError(f"there is no file {name} in the config folder") from None
        except OSError as error:
            raise ConfigError(f"{name} cannot be read: {error.strerror}") from error
        found = LocalFile(path, digest, stat.st_size)
        self._known[path] = (mark, found)
        return found
