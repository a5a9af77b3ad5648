"""`env:NAME`, `env:NAME?` and `file:/path`: values that stand somewhere else, mostly secrets."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

_ENV = re.compile(r"env:([A-Za-z_][A-Za-z0-9_]*)(\?)?")
_MENTIONED = re.compile(r"\benv:([A-Za-z_][A-Za-z0-9_]*)")
MAX_FILE = 64 * 1024


def is_reference(text: str) -> bool:
    """Whether the text refers to something instead of being the value itself."""
    return text.startswith(("env:", "file:"))


def resolve(text: str, environment: Mapping[str, str], folder: Path) -> str | None:
    """The value that a text stands for; a text that refers to nothing stands for itself.

    Args:
        text: as written.
        environment: where `env:` looks. A variable that is set to nothing counts as not set.
        folder: what a relative path after `file:` is relative to.

    Returns:
        The value, without the line ends around a file's content; None for an optional variable that is not set.

    Raises:
        ValueError: what is wrong and what would be right; never with a value.
    """
    if text.startswith("env:"):
        found = _ENV.fullmatch(text)
        if found is None:
            raise ValueError(
                "after `env:` stands the name of an environment variable: env:NAME, or env:NAME? if optional"
            )
        value = environment.get(found[1], "").strip("\r\n")
        if value:
            return value
        if found[2]:
            return None
        raise ValueError(
            f"the environment variable {found[1]} is not set; set it, or write env:{found[1]}? if it is optional"
        )
    if text.startswith("file:"):
        return _content(folder / text.removeprefix("file:"))
    return text


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE + 1)
    except OSError as error:
        raise ValueError(f"the file {path} cannot be read ({error.strerror}); check its path and permissions") from None
    if len(raw) > MAX_FILE:
        raise ValueError(f"the file {path} is larger than {MAX_FILE // 1024} KiB; that is no secret")
    try:
        text = raw.decode("utf-8-sig").strip("\r\n")
    except UnicodeDecodeError:
        raise ValueError(f"the file {path} is not UTF-8 text") from None
    if not text.strip():
        raise ValueError(f"the file {path} is empty")
    return text


def mentioned(text: str) -> set[str]:
    """Names of the environment variables that a file's text refers to by `env:NAME`."""
    return set(_MENTIONED.findall(text))
