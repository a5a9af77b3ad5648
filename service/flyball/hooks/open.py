"""Which open deliveries were looked at where: one is done with when all lanes have answered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from flyball.ledger.intents import Intent

Json = Mapping[str, Any]
Ended = Callable[[str, Sequence[Intent], Json | None], Awaitable[None]]
"""Told which lane has looked at which deliveries, and what came of it; None: there was nothing to look at."""


class Open:
    """The deliveries that some lanes have answered and others have not. In memory: a restart asks all lanes again.

    Args:
        lanes: their names.
    """

    def __init__(self, lanes: Collection[str]) -> None:
        self._lanes = frozenset(lanes)
        self._answers: dict[int, dict[str, Json | None]] = {}

    def __len__(self) -> int:
        return len(self._answers)

    def clear(self) -> None:
        """All lanes begin again."""
        self._answers.clear()

    def is_last(self, intent: Intent, lane: str) -> bool:
        """Whether only this lane's answer is missing."""
        return self._lanes == {lane, *self._answers.get(intent.id, ())}

    def note(self, intent: Intent, lane: str, answer: Json | None) -> Json | None:
        """A lane has answered, with None where there was nothing for it; the delivery's answer, if it was the last."""
        answers = self._answers.setdefault(intent.id, {})
        answers[lane] = answer
        if self._lanes != answers.keys():
            return None
        del self._answers[intent.id]
        told = [one for one in answers.values() if one is not None]
        told.sort(key=lambda one: "error" in one)  # what was found counts more than who could not tell
        return told[0] if told else {"error": f"no site shows anything named {intent.params['target']!r}"}

    def forget(self, idents: Iterable[int]) -> None:
        """They were done with, in the ledger too."""
        for ident in idents:
            self._answers.pop(ident, None)
