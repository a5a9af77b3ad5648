"""Paths on disk made of labels: every part is cleaned, so that nothing leaves the folder and nothing is hidden. Pure.

A label that had to be changed gets six characters of its hash, so that `a/b` and `a_b` stay apart. What is refused in
names is the sum of what Linux, macOS and Windows refuse: such trees are copied from one to the other.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flyball.rules.catalog import Compiler, Fault, PathInFile
from flyball.rules.expression import Unknown
from flyball.rules.templates import Template

LONGEST: Final = 180
"""Bytes of one part; file systems allow 255, and a part in the making is a little longer."""

DEEPEST: Final = 32
"""Parts of a path."""

_FORBIDDEN: Final = re.compile(r'[\\/:*?"<>|]')
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_RESERVED: Final = re.compile(r"ledger\.|\.flyball", re.IGNORECASE)  # our own files in the same folder
_ENDING: Final = re.compile(r"(\.[A-Za-z0-9]{1,8}){1,2}$")
_PIECES: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}|/|[^/{]+|\{", re.DOTALL)


def clean(label: str) -> str:
    """One part of a path for a label. Different labels give different parts; a harmless label stays as it is."""
    text = unicodedata.normalize("NFC", label)
    plain = "".join("_" if _is_control(char) else char for char in _FORBIDDEN.sub("_", text)).strip()
    plain = plain.rstrip(". ")
    if plain.startswith(".") or _DEVICES.fullmatch(plain) or _RESERVED.match(plain):
        plain = f"_{plain}"
    plain = plain or "_"
    if plain == text and len(plain.encode()) <= LONGEST:
        return plain
    return marked(plain, label)


def marked(part: str, meaning: str) -> str:
    """The part with six characters of a hash of what it stands for, before its ending."""
    mark = "~" + hashlib.sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    found = _ENDING.search(part)
    ending = found[0] if found is not None and found.start() > 0 else ""
    stem = part[: len(part) - len(ending)] if ending else part
    room = LONGEST - len((mark + ending).encode())
    while len(stem.encode("utf-8", "replace")) > room:
        stem = stem[:-1]
    return stem.rstrip(" .") + mark + ending


def place_key(path: str) -> str:
    """What two paths have in common that are one file on a system that knows no case."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def member_parts(path: str) -> list[str] | None:
    """The parts of a zip member's path, cleaned; None for one that points out of the folder, or names no file."""
    if not path or path.endswith("/") or "\\" in path or "\0" in path or path.startswith("/") or ":" in path[:3]:
        return None
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts or len(parts) > DEEPEST:
        return None
    return [clean(part) for part in parts]


def _is_control(char: str) -> bool:
    """Control and format characters, lone surrogates, line separators."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp")


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A path of templates, part by part, so that a slash in a label makes no folder.

    Attributes:
        text: as written.
        parts: one template a part.
        is_folder: it ends in a slash.
    """

    text: str
    parts: tuple[Template, ...]
    is_folder: bool

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Paths that its templates read."""
        return frozenset(path for part in self.parts for path in part.reads)

    def fill(self, names: Mapping[str, Any]) -> list[str] | Unknown:
        """The cleaned parts; unknown when a value is missing."""
        found: list[str] = []
        for part in self.parts:
            text = part.fill(names)
            if isinstance(text, Unknown):
                return text
            found.append(clean(text))
        return found


def compile_path(text: str, compiler: Compiler, path: PathInFile) -> PathTemplate:
    """Compile a path.

    Raises:
        Fault: it is absolute, leaves its folder, or a part is no template by itself.
    """
    if text.startswith(("/", "~", "\\")) or re.match(r"[A-Za-z]:[\\/]", text):
        raise Fault(path, "a path is relative to the data folder: begin with a name, not with `/`")
    parts = [part for part in split(text) if part.strip()]
    if any(part.strip() in (".", "..") for part in parts):
        raise Fault(path, "`.` and `..` are no parts of a path here: nothing is written outside of the data folder")
    if len(parts) > DEEPEST:
        raise Fault(path, f"a path has at most {DEEPEST} parts")
    return PathTemplate(text, tuple(_each(parts, compiler.template, path)), text.rstrip().endswith("/") or not parts)


def _each(
    parts: Sequence[str], template: Callable[[str, PathInFile], Template], path: PathInFile
) -> Sequence[Template]:
    return [template(part, path) for part in parts]


def split(text: str) -> list[str]:
    """The parts of a path with templates; slashes inside of `{{ … }}` are no separators."""
    parts = [""]
    for piece in _PIECES.findall(text):
        if piece == "/":
            parts.append("")
        else:
            parts[-1] += piece
    return parts
