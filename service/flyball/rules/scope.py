"""Scopes: which containers a rule is about, as globs by level.

A pattern is matched part by part: `*` and `?` stay within a part. Projects are written `group/label`; the first
slash parts the group from the label, further slashes belong to the label. `!` excludes. A level without patterns is
not limited; with only exclusions, everything else is in. Matching takes time in proportion to the text (RE2).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from flyball.model.levels import Level
from flyball.rules.expression.patterns import Pattern, PatternError, regex

GEAR = "gear"
_SPECIAL = frozenset(r"\.+*?()|[]{}^$")


@dataclass(frozen=True, slots=True)
class Glob:
    """One compiled glob.

    Attributes:
        written: as it stands in the rule.
        pattern: None for one too long to be compiled: it is compared as plain text.
        part: text that whatever fits has in it; most of what does not fit is told by that, in a tenth of the time.
    """

    written: str
    pattern: Pattern | None
    part: str = ""

    def fullmatch(self, text: str) -> bool:
        """Whether the glob fits the whole text."""
        if self.part not in text:
            return False
        return text == self.written if self.pattern is None else self.pattern.found_in(text)


def glob_regex(pattern: str, *, stop: str = "") -> Glob:
    """A glob: `*` any run of characters, `?` one, `[ab]`, `[a-c]` and `[!ab]` one of a set; `stop` is never crossed.

    What is no set (`[`, `[]`, a range that runs backwards) stands for itself. Never raises.
    """
    return _compiled(pattern, _translated(pattern, stop))


def _compiled(written: str, inner: str) -> Glob:
    try:
        return Glob(written, regex(f"(?s)^(?:{inner})$"), _plain_part(written))
    except PatternError:
        return Glob(written, None)


def _plain_part(written: str) -> str:
    """The longest run of characters that stand for themselves, before the first set."""
    return max(written.partition("[")[0].replace("?", "*").split("*"), key=len)


def _translated(pattern: str, stop: str) -> str:
    any_character = f"[^{_escaped(stop)}]" if stop else "."
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if parts[-1:] != [f"{any_character}*"]:
                parts.append(f"{any_character}*")
        elif character == "?":
            parts.append(any_character)
        elif character == "[" and (found := _set(pattern, at)) is not None:
            text, at = found
            parts.append(text)
        else:
            parts.append(_escaped(character))
    return "".join(parts)


def _set(pattern: str, start: int) -> tuple[str, int] | None:
    """The set that begins at `start`, behind its bracket, and where the rest begins; None: it is none."""
    negate = pattern[start : start + 1] == "!"
    first = start + negate
    end = pattern.find("]", first + 1)
    if end < 0:
        return None
    parts: list[str] = []
    at = first
    while at < end:
        low = pattern[at]
        if pattern[at + 1 : at + 2] == "-" and at + 2 < end:
            high = pattern[at + 2]
            if high < low:
                return None
            parts.append(f"{_escaped_in_set(low)}-{_escaped_in_set(high)}")
            at += 3
            continue
        parts.append(_escaped_in_set(low))
        at += 1
    return f"[{'^' if negate else ''}{''.join(parts)}]", end + 1


def _escaped(text: str) -> str:
    return "".join(f"\\{character}" if character in _SPECIAL else character for character in text)


def _escaped_in_set(character: str) -> str:
    return f"\\{character}" if character in r"\[]^-" else character


@dataclass(frozen=True, slots=True)
class Globs:
    """Patterns of one level: in if some `include` matches (or there is none), unless some `exclude` does."""

    include: tuple[Glob, ...] = ()
    exclude: tuple[Glob, ...] = ()
    written: tuple[str, ...] = ()

    def match(self, text: str) -> bool:
        """Whether `text` is in."""
        if any(glob.fullmatch(text) for glob in self.exclude):
            return False
        return not self.include or any(glob.fullmatch(text) for glob in self.include)


def compile_globs(level: str, patterns: Iterable[str]) -> Globs:
    """Compile the patterns of one level; projects are matched as `group/label`."""
    include: list[Glob] = []
    exclude: list[Glob] = []
    written = tuple(patterns)
    for pattern in written:
        bare = pattern.removeprefix("!")
        into = exclude if pattern.startswith("!") else include
        if level == Level.PROJECT and "/" in bare:
            group, label = bare.split("/", 1)
            into.append(_compiled(bare, f"{_translated(group, '/')}/{_translated(label, '')}"))
        else:
            into.append(glob_regex(bare))
    return Globs(tuple(include), tuple(exclude), written)


@dataclass(frozen=True, slots=True)
class Scope:
    """Globs by level name (`project` … `file`, `gear`)."""

    levels: Mapping[str, Globs] = field(default_factory=dict)

    def outside(self, labels: Mapping[str, str]) -> str | None:
        """The first level whose label is out of scope, or None when all are in.

        Args:
            labels: level name → label, for the levels that the target has; `project` as `group/label`. A level that
                has patterns but no label here (a file on a session has no acquisition) is out, unless the
                patterns only exclude.
        """
        for level, globs in self.levels.items():
            label = labels.get(level)
            if label is None:
                if globs.include:
                    return level
            elif not globs.match(label):
                return level
        return None
