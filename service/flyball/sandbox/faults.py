"""Misbehaviour on order: which requests go wrong, and how.

A fault applies to the requests that its method and path pattern fit, with a probability, and at
most so many times. The first fault that applies wins.
"""

import re
from dataclasses import dataclass, fields
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.maps import refuse_unknown

KINDS = ("status", "reset_before", "reset_after", "truncate", "slow", "hang")
SITES = ("flywheel", "neuroscout")


@dataclass(slots=True)
class Fault:
    """One kind of misbehaviour.

    Kinds: `status` answers an error status instead; `reset_before` closes the connection without
    doing anything; `reset_after` carries the request out and closes the connection with no answer;
    `truncate` breaks the answer off in the middle; `slow` answers late; `hang` never answers.
    """

    kind: str
    method: str | None = None
    """Only this method."""
    path: str | None = None
    """Only paths (below `/api`, with a leading slash) in which this pattern is found."""
    site: str | None = None
    """Only requests to `flywheel` or to `neuroscout`."""
    rate: float = 1.0
    """Probability, repeatable by the plan's seed."""
    count: int | None = None
    """At most so many times; None: without end."""
    status: int = 503
    """The status of kind `status`."""
    retry_after: str | int | None = None
    """The Retry-After header of kind `status`: seconds or an HTTP date."""
    html: bool = False
    """A body of HTML, as proxies send it, instead of JSON."""
    commit: bool = False
    """Kinds `status` and `hang`: carry the request out all the same."""
    late_s: float = 0.0
    """Of a request that is carried out without an answer (`reset_after`, or `commit`): this many seconds later, when
    the connection is long gone. A site that is overloaded, or behind a proxy, does that."""
    delay_s: float = 1.0
    """Seconds by which kind `slow` is late."""
    hits: int = 0
    """How often it has applied."""

    def __post_init__(self) -> None:
        """Refuse what would silently never apply.

        Raises:
            ValueError: an unknown kind or site, or a broken pattern.
        """
        if self.kind not in KINDS:
            raise ValueError(f"unknown fault kind {self.kind!r}; there are {', '.join(KINDS)}")
        if self.late_s < 0 or (self.late_s > 0 and not self.is_late):
            raise ValueError("late_s is a number of seconds, and goes with reset_after or with commit")
        if self.site not in {None, *SITES}:
            raise ValueError(f"unknown fault site {self.site!r}; there are {', '.join(SITES)}")
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as error:
                raise ValueError(f"broken path pattern {self.path!r}: {error}") from error

    def fits(self, method: str, path: str, site: str = "flywheel") -> bool:
        """Whether the fault is about such a request and not used up."""
        return (
            self.site in {None, site}
            and (self.method is None or self.method == method)
            and (self.path is None or re.search(self.path, path) is not None)
            and (self.count is None or self.hits < self.count)
        )

    @property
    def carries_out(self) -> bool:
        """Whether the request is carried out at once although it goes wrong."""
        return (self.kind in {"reset_after", "truncate", "slow"} or self.commit) and not self.is_late

    @property
    def is_late(self) -> bool:
        """Whether the request is carried out some time after the connection went wrong."""
        return self.late_s > 0 and (self.kind == "reset_after" or self.commit)


class FaultPlan:
    """The faults in force."""

    def __init__(self, seed: str = "faults", faults: list[dict[str, Any]] | None = None) -> None:
        """Start with the faults of a scenario."""
        self.faults: list[Fault] = []
        self._seed = seed
        self._asked = 0
        for fault in faults or []:
            self.add(**fault)

    def add(self, kind: str, **settings: Any) -> Fault:
        """Put a fault in force and give it back; its `hits` tell how often it applied.

        Raises:
            ValueError: an unknown kind, setting or pattern.
        """
        refuse_unknown(settings, {field.name for field in fields(Fault)} - {"kind", "hits"}, "fault settings")
        fault = Fault(kind, **settings)
        self.faults.append(fault)
        return fault

    def clear(self) -> None:
        """Behave from now on."""
        self.faults.clear()

    def pick(self, method: str, path: str, site: str = "flywheel") -> Fault | None:
        """The fault that applies to a request, counted as applied."""
        for fault in self.faults:
            if fault.fits(method, path, site):
                self._asked += 1
                if fault.rate >= 1 or Dice.of(self._seed, "fault", self._asked).random() < fault.rate:
                    fault.hits += 1
                    return fault
        return None
