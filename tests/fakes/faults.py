"""Faults for the fakes: the next so many calls of a method go wrong, before, after or long after they took effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

When = Literal["before", "after", "late"]


class Killed(BaseException):
    """The process ends here: nothing after this line runs."""


@dataclass(slots=True)
class Fault:
    """What happens to the next `times` calls of a method.

    `before`: nothing was done. `after`: it was done, and the answer got lost. `late`: it will be done when
    `Faults.commit_late` is called.
    """

    method: str
    when: When
    error: BaseException
    times: int = 1
    hits: int = 0


class Faults:
    """A plan of faults, and the calls that commit late."""

    def __init__(self) -> None:
        self.planned: list[Fault] = []
        self.late: list[Callable[[], Any]] = []
        self.killed: Callable[[], None] = lambda: None

    def add(self, method: str, error: BaseException, *, when: When = "before", times: int = 1) -> Fault:
        """Plan a fault; it is used up after so many hits."""
        fault = Fault(method, when, error, times)
        self.planned.append(fault)
        return fault

    def clear(self) -> None:
        """Forget all that is planned."""
        self.planned.clear()

    def commit_late(self) -> int:
        """Carry out what was to take effect late; how many calls these were."""
        late, self.late = self.late, []
        for commit in late:
            commit()
        return len(late)

    def through(self, method: str, commit: Callable[[], Any]) -> Any:
        """Carry out a call, or let it go wrong as planned."""
        fault = next((one for one in self.planned if one.method == method and one.hits < one.times), None)
        if fault is None:
            return commit()
        fault.hits += 1
        if fault.when == "after":
            commit()
        elif fault.when == "late":
            self.late.append(commit)
        if isinstance(fault.error, Killed):
            self.killed()
        raise fault.error
