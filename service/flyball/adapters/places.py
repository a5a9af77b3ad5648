"""Whose each place of the data folder is, and what lies there: one file, which is only ever added to."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from flyball.effects.paths import place_key


class Places:
    """The places as written down in `file`. What is done here blocks, and may be done from any thread."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: dict[str, dict[str, Any]] | None = None
        self._lock = threading.Lock()

    def claim(self, path: str, owner: str) -> str | None:
        """Make a place somebody's; None, or who had it before."""
        with self._lock:
            place = self._known().setdefault(place_key(path), {})
            found = place.get("owner")
            if found is None:
                place["owner"] = owner
                self._note(path, place)
            return None if found in (None, owner) else str(found)

    def seal(self, path: str, key: str, there: os.stat_result) -> None:
        """Note what the file at a place is, as it is there now."""
        with self._lock:
            place = self._known().setdefault(place_key(path), {})
            place |= {"key": key, "size": there.st_size, "time": there.st_mtime_ns}
            self._note(path, place)

    def sealed(self, path: str, there: os.stat_result) -> str | None:
        """What the file at a place is, if it was not changed since that was noted."""
        with self._lock:
            place = self._known().get(place_key(path), {})
        if (place.get("size"), place.get("time")) != (there.st_size, there.st_mtime_ns):
            return None
        return str(place["key"])

    def _note(self, path: str, place: dict[str, Any]) -> None:
        with self._file.open("ab") as out:
            out.write(orjson.dumps([place_key(path), place]) + b"\n")

    def _known(self) -> dict[str, dict[str, Any]]:
        """Place → what is noted of it; a line that a kill cut off is passed over."""
        if self._read is None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._read = {}
            text = self._file.read_bytes() if self._file.exists() else b""
            if text and not text.endswith(b"\n"):
                with self._file.open("ab") as out:
                    out.write(b"\n")
            for line in text.splitlines():
                with suppress(ValueError):
                    key, place = orjson.loads(line)
                    self._read[key] = place
        return self._read
