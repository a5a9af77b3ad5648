"""How large an expression may be and how much one evaluation may do.

The bounds are generous for rules that people write and small against attacks: the worst accepted expression ends
within a second and well under 100 MB. A unit of work is about one visited part of the expression for one element.
"""

from __future__ import annotations

from typing import Final

SOURCE_CHARACTERS: Final = 8_000
"""Length of the text; a list of some 600 labels still fits."""

BRACKETS: Final = 30
"""Depth of nested brackets, checked before the text is parsed at all."""

DEPTH: Final = 60
"""Depth of the parsed tree; long chains of `and` and `or` are one level."""

PARTS: Final = 2_000
"""Number of parts (names, literals, operations) of the parsed tree."""

WORK: Final = 500_000
"""Units of work of one evaluation, at most about half a second of it; some 50,000 elements for a short condition."""

TEXT: Final = 100_000
"""Characters of a text that an expression builds or searches."""

NUMBER: Final = 10**300
"""Largest magnitude of a number; beyond it conversions between whole and real numbers could fail."""

PATTERN: Final = 1_000
"""Characters of a regular expression or glob."""

NESTED_VALUE: Final = 40
"""Depth to which two lists or objects are compared."""
