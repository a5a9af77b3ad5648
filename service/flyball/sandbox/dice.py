"""Repeatable chance: the same names give the same numbers.

Each decision of the emulated lab draws from dice named after what is decided (`"job", gear,
destination, attempt`), so neither the order of requests nor other draws change it, and the state
needs no random module.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Self, TypeVar

T = TypeVar("T")
_MASK = (1 << 64) - 1


class Dice:
    """A small generator (splitmix64) seeded by names."""

    def __init__(self, state: int) -> None:
        """Start from a 64-bit state."""
        self._state = state & _MASK

    @classmethod
    def of(cls, *names: object) -> Self:
        """Dice that belong to the names given."""
        digest = hashlib.sha256("\x1f".join(map(str, names)).encode()).digest()
        return cls(int.from_bytes(digest[:8], "big"))

    def random(self) -> float:
        """A number from 0 up to, not including, 1."""
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return ((z ^ (z >> 31)) >> 11) / (1 << 53)

    def uniform(self, low: float, high: float) -> float:
        """A number between two bounds."""
        return low + (high - low) * self.random()

    def gauss(self, mean: float, spread: float) -> float:
        """A normally distributed number (Box-Muller)."""
        radius = math.sqrt(-2.0 * math.log(1.0 - self.random()))
        return mean + spread * radius * math.cos(2.0 * math.pi * self.random())

    def whole(self, low: int, high: int) -> int:
        """A whole number, both bounds included."""
        return low + int(self.random() * (high - low + 1))

    def choice(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.random() * len(options))]
