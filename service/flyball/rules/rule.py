"""A rule, read and compiled: what the engine decides with. Reading makes these; nothing changes them afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from flyball.model.decision import Because, Verdict, Wish
from flyball.model.levels import Level
from flyball.model.node import Document
from flyball.model.place import Place
from flyball.model.search import Search
from flyball.rules.expression import Context, Expression
from flyball.rules.matrix import Cell
from flyball.rules.scope import Scope


class Mode(StrEnum):
    """How far a rule may go."""

    LIVE = "live"
    SHADOW = "shadow"
    APPROVE = "approve"
    PAUSED = "paused"


class WhenOver(StrEnum):
    """What happens to an effect once its condition turns false."""

    RETRACT = "retract"
    RESOLVE = "resolve"
    LEAVE = "leave"


@dataclass(frozen=True, slots=True)
class Selection:
    """`select`: a named, filtered, ordered, capped list of what lies below the target.

    Attributes:
        of: `file` or `acquisition`.
        condition: evaluated with each candidate's own ancestors in place.
        order: sort keys, ascending, unknowns last; without any: by creation, then id.
        most: cap, None for no cap.
        search: only hits of this search; their condition is `true`.
    """

    name: str
    of: Level
    condition: Expression
    order: tuple[Expression, ...] = ()
    most: int | None = None
    search: Search | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """One entry of `expect: acquisitions`. Exactly one of `label` and `match` is set.

    `at_least` ≤ number ≤ `at_most`; `title` is what stands in `missing`.
    """

    title: str
    label: str | None = None
    match: str | None = None  # RE2, searched unanchored as written
    at_least: int = 1
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Since:
    """Which data the rule is about: all, what changed after the rule's first sight (`now`), or after a date."""

    everything: bool = False
    date: datetime | None = None  # None and not everything: the rule's first sight


@dataclass(frozen=True, slots=True)
class JobTrigger:
    """`{job: [states], gear: [globs]}`."""

    states: frozenset[str]
    gears: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class ScheduleTrigger:
    """`{schedule: cron, zone: name}`: five-field crontab; zone is an IANA name."""

    cron: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Triggers:
    """When a rule looks, besides its own due times."""

    changed: bool = True
    startup: bool = False
    jobs: tuple[JobTrigger, ...] = ()
    schedules: tuple[ScheduleTrigger, ...] = ()
    webhooks: tuple[str, ...] = ()
    analyses: frozenset[str] = frozenset()  # statuses of Neuroscout analyses

    @property
    def at_once(self) -> bool:
        """Whether the rule looks at what is there already, and not only when something that it waits for happens."""
        return self.changed or self.startup


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on a rule's launches; None: no cap."""

    running: int | None = None
    per_day: int | None = None
    canary: int | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Transient failures: how many attempts, and the first and longest pause between them."""

    attempts: int = 8
    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Moment:
    """What an effect's own expressions are evaluated in: the decision being taken.

    Attributes:
        context: names, now and functions, as the rule's condition sees them.
        verdict: of the condition (`if`).
        generation: raised by `forget`; part of every once-key.
    """

    rule_id: str
    document: Document
    context: Context
    verdict: Verdict
    generation: int
    over: WhenOver | None


class EffectSpec(Protocol):
    """One entry of `do`, compiled by its effect kind. Pure: it says what, and touches nothing."""

    @property
    def kind(self) -> str:
        """The effect kind's name."""
        ...

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Paths that its expressions and templates read."""
        ...

    def because(self, moment: Moment) -> Iterable[Because]:
        """Its own conditions, explained."""
        ...

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """What it wants of the world, given the decision. Wishes whose `want` is unknown change nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a rule file, or one cell of its matrix.

    Attributes:
        site: the configured name of the site.
        below: levels below the target that the rule looks at (empty: the target and its ancestors only).
        reads: every path that any of its expressions or templates reads.
        version: hash of the rule's meaning; a comment or a title does not change it.
        order: the names of `let` and `select` in the order in which they are worked out, each after those it needs.
        profiles: names of the QC profiles that it uses.
        peers: those of them that compare a metric with peers.
        matrix: of a rule that its matrix was expanded into: the values of its cell.
        cells: of a rule on each cell of its matrix: cell id → cell.
        parent: of a rule that its matrix was expanded into: the id in the file.
        retired: it stands in for one that an edit of the matrix took out: it wants nothing any more.
        rests_on: levels below the target that its effects go by as a whole (reports); no expression reads them.
        summed: nothing reads what lies below one by one: it is summed up and not loaded.
    """

    id: str
    title: str
    site: str
    each: Level
    place: Place
    version: str
    do: tuple[EffectSpec, ...]
    trigger: Triggers = Triggers()
    scope: Scope = Scope()
    settle: timedelta = timedelta(0)
    let: tuple[tuple[str, Expression], ...] = ()
    select: tuple[Selection, ...] = ()
    order: tuple[str, ...] = ()
    expect: tuple[Expected, ...] | None = None
    condition: Expression | None = None
    when_over: WhenOver | None = None
    since: Since = Since()
    mode: Mode = Mode.LIVE
    limits: Limits = Limits()
    retry: Retry | None = None
    below: frozenset[Level] = frozenset()
    reads: frozenset[tuple[str, ...]] = frozenset()
    profiles: frozenset[str] = frozenset()
    peers: frozenset[str] = frozenset()
    matrix: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, Cell] = field(default_factory=dict)
    parent: str = ""
    retired: bool = False
    rests_on: frozenset[Level] = frozenset()
    summed: bool = False

    @property
    def written_as(self) -> str:
        """The id that the rule has in its file."""
        return self.parent or self.id

    @property
    def only_waits(self) -> bool:
        """Whether the rule looks at nothing that is there already, but only when a job, a hook or its time says so."""
        return not self.trigger.at_once and self.each is not Level.MATRIX

    @property
    def searches(self) -> frozenset[Search]:
        """What the site's search is asked for it."""
        return frozenset(one.search for one in self.select if one.search is not None)

    @property
    def gears(self) -> frozenset[str]:
        """Gears whose runs on the target its effects stand on."""
        return frozenset(name for spec in self.do for name in getattr(spec, "runs", ()))

    def looks_at(self, level: Level, attribute: str) -> bool:
        """Whether some expression reads `level.attribute…` (or the whole of `level`)."""
        return any(path[0] == level and (len(path) == 1 or path[1] == attribute) for path in self.reads)
