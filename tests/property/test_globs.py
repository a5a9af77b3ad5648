"""Globs: the plain part by which most of what does not fit is told."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flyball.rules.scope import Glob, compile_globs, glob_regex

PATTERNS = st.text(alphabet="ab/*?[]!-", max_size=8)
TEXTS = st.text(alphabet="ab/[]!-", max_size=6)


@given(pattern=PATTERNS, text=TEXTS)
def test_whatever_fits_has_the_plain_part_in_it(pattern: str, text: str) -> None:
    """The short cut says no only where the pattern does."""
    every = [glob_regex(pattern), glob_regex(pattern, stop="/")]
    every += [glob for level in ("project", "file") for glob in compile_globs(level, [pattern]).include]
    for glob in every:
        without = Glob(glob.written, glob.pattern)
        assert glob.fullmatch(text) == without.fullmatch(text)
