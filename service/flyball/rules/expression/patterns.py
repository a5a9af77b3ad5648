"""Regular expressions and globs, in linear time (RE2): a hostile pattern costs time in proportion to the text."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Final

import re2

from flyball.rules.expression.limits import PATTERN

_MEMORY: Final = 1 << 18
"""Bytes that one compiled pattern may take."""

COMPILE_WORK: Final = 5_000
"""Units of work for a pattern that is only known while evaluating, each time it is another one."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A compiled pattern. `size` is its number of steps: work grows with it and with the length of the text."""

    search: Any
    size: int

    def found_in(self, text: str) -> bool:
        return self.search(text.encode("utf-8", "replace")) is not None

    def work(self, text: str) -> int:
        return 2 + len(text) * self.size // 64


class PatternError(ValueError):
    """A pattern that cannot be used; the text says why, and what to write instead where that is known."""


@functools.lru_cache(maxsize=128)
def regex(pattern: str) -> Pattern:
    """The regular expression `pattern`, found anywhere in a text unless it says `^` and `$`.

    Raises:
        PatternError: when RE2 does not take it.
    """
    if len(pattern) > PATTERN:
        raise PatternError(f"the regular expression has more than {PATTERN:,} characters")
    try:
        return _compiled(pattern)
    except re2.error as error:
        raise PatternError(_explained(pattern, error)) from None


@functools.lru_cache(maxsize=128)
def glob(pattern: str) -> Pattern:
    """The glob `pattern`, which fits a whole text: `*` any characters, `?` one, `[ab]` and `[!ab]` one of a set.

    Raises:
        PatternError: when it is too long or a set in it is broken.
    """
    if len(pattern) > PATTERN:
        raise PatternError(f"the glob has more than {PATTERN:,} characters")
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            if parts[-1:] != [".*"]:
                parts.append(".*")
        elif character == "?":
            parts.append(".")
        elif character == "[" and (end := pattern.find("]", at + 2 if pattern[at : at + 1] == "!" else at + 1)) > 0:
            inside = pattern[at:end].replace("\\", "\\\\").replace("[", "\\[")
            parts.append("[" + ("^" + inside[1:] if inside.startswith("!") else inside.replace("^", "\\^")) + "]")
            at = end + 1
        else:
            parts.append(re2.escape(character))
    try:
        return _compiled("(?s)^" + "".join(parts) + "$")
    except re2.error as error:
        raise PatternError(f"the glob is broken: {_plain(error)}") from None


def _compiled(pattern: str) -> Pattern:
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    options.max_mem = _MEMORY
    compiled = re2.compile(pattern.encode("utf-8", "replace"), options)
    return Pattern(compiled.search, int(compiled.programsize))


def _plain(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)


def _explained(pattern: str, error: Exception) -> str:
    reason = _plain(error)
    if any(look in pattern for look in ("(?=", "(?!", "(?<=", "(?<!")):
        return (
            "look-ahead and look-behind are not available in linear-time regular expressions; "
            "combine two conditions instead, such as matches(a, 'x') and not matches(a, 'y')"
        )
    if "invalid escape sequence" in reason and any(f"\\{digit}" in pattern for digit in "123456789"):
        return "back-references are not available in linear-time regular expressions"
    return f"the regular expression is broken: {reason}"
