"""Suggestions for misspelt words."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 16  # a longer list of known words helps nobody


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` most likely stands for, or None."""
    by_lower = {name.lower(): name for name in sorted(known, reverse=True)}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def instead(word: str, known: Iterable[str]) -> str:
    """What would be right instead of `word`: the closest known word, else the known words."""
    names = sorted(set(known))
    nearest = closest(word, names)
    if nearest is not None:
        return f"did you mean `{nearest}`?"
    if not names:
        return "nothing can stand here"
    shown = ", ".join(names[:SHOWN])
    return f"known here: {shown}{', …' if len(names) > SHOWN else ''}"
