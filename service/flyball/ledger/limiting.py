"""What holds an effect back although it is due: a paused rule, a canary, so many launches running, so many in a day.

A launch counts from the moment at which its job was sent, or may have been sent. What others ran does not count.
What is held back here is written to the ledger with its reason, and comes again by itself: after a while, or as soon
as a place is free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, func, or_, select, update

from flyball.ledger.codec import micros, moment, unpack
from flyball.ledger.naming import of_family
from flyball.ledger.tables import effects, rules
from flyball.model.effect import EffectState
from flyball.rules.claims import REMOVE
from flyball.rules.matrix import family_of
from flyball.rules.scope import Scope

LAUNCH: Final = "launch"
LOOK_AGAIN: Final = timedelta(minutes=5)  # when what is held back looks again, should nothing call it earlier
CALLED_AT_ONCE: Final = 2  # of those that wait for a free place; one may have become needless meanwhile
ENDED: Final = ("complete", "failed", "cancelled")
CANARY, LIMIT, PAUSED = "canary", "limit", "paused"

_DAY = timedelta(days=1)
_RULES = select(rules.c.id, rules.c.paused, rules.c.present, rules.c.released)
_PLANNED, _HELD = str(EffectState.PLANNED), str(EffectState.HELD)
_WAITING, _RUNNING = str(EffectState.WAITING), str(EffectState.RUNNING)
_DONE, _FAILED = str(EffectState.DONE), str(EffectState.FAILED)


@dataclass(frozen=True, slots=True)
class Caps:
    """What one loaded rule may do.

    Attributes:
        version: the rule's present one.
        running, per_day, canary: its limits; None: no cap.
        scope: which targets it is about.
        stopped: its mode lets nothing be carried out (`paused`, `shadow`); retractions go on.
    """

    version: str
    running: int | None = None
    per_day: int | None = None
    canary: int | None = None
    stopped: bool = False
    scope: Scope | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """How an effect is held back: its state, when it comes again (None: when a person lets it), why."""

    state: EffectState
    due: datetime | None
    reason: str
    held_for: str | None


@dataclass(slots=True)
class _Count:
    """Launches of one rule, all cells of its matrix together, as far as its caps need them.

    A canary is for each cell: what goes well in one may go wrong in another. The other caps are about the site's room.
    """

    running: int = 0
    of_version: dict[str, int] = field(default_factory=dict)
    in_a_day: list[int] = field(default_factory=list)


class Gate:
    """Says of each effect that is about to begin whether it must wait; counts those that it lets through.

    Args:
        connection: of the transaction.
        caps: rule → caps, of the rules that are loaded.
        now: the present, UTC.
    """

    def __init__(self, connection: Connection, caps: Mapping[str, Caps], now: datetime) -> None:
        self._connection = connection
        self._caps = caps
        self._now = now
        self._counts: dict[str, _Count] = {}
        self._rules = {row.id: row for row in connection.execute(_RULES)}

    def hold(self, row: Any) -> Hold | None:
        """What keeps the effect of a row of `effects` from beginning, or None: then it is counted."""
        return self._stopped(row) or self._over_cap(row)

    def _stopped(self, row: Any) -> Hold | None:
        rule, caps = self._rules.get(row.rule), self._caps.get(row.rule)
        if rule is not None and not rule.present:
            reason = f"rule {row.rule} is not loaded"
        elif (rule is not None and rule.paused) or (caps is not None and caps.stopped):
            reason = f"rule {row.rule} is paused"
        else:
            return None
        if is_retraction(row):
            return None
        return Hold(EffectState(row.state), self._now + LOOK_AGAIN, reason, PAUSED)

    def _over_cap(self, row: Any) -> Hold | None:
        caps = self._caps.get(row.rule)
        if row.kind != LAUNCH or row.unclear or row.launched is not None or caps is None:
            return None  # what was launched already, and is cleared up or run again, is counted as it is
        if caps.running is None and caps.per_day is None and caps.canary is None:
            return None
        family = family_of(row.rule)
        count = self._counts.get(family)
        if count is None:
            count = self._counts[family] = self._count(family, caps)
        if row.rule not in count.of_version:
            count.of_version[row.rule] = self._of_version(row.rule, caps)
        hold = self._held_by(row, caps, count)
        if hold is None:
            count.running += 1
            count.of_version[row.rule] += 1
            count.in_a_day.append(micros(self._now))
        return hold

    def _held_by(self, row: Any, caps: Caps, count: _Count) -> Hold | None:
        rule = self._rules.get(row.rule)
        let_go = row.held_for == CANARY or (rule is not None and rule.released == caps.version)
        if caps.canary is not None and not let_go and count.of_version[row.rule] >= caps.canary:
            reason = f"canary: {caps.canary} launched; the rest wait for `approve --rule {row.rule}`"
            return Hold(EffectState.HELD, None, reason, CANARY)
        if caps.running is not None and count.running >= caps.running:
            reason = f"limit: {count.running} of {caps.running} are running"
            return Hold(EffectState.PLANNED, self._now + LOOK_AGAIN, reason, LIMIT)
        if caps.per_day is not None and len(count.in_a_day) >= caps.per_day:
            first = sorted(count.in_a_day)[len(count.in_a_day) - caps.per_day] if caps.per_day else micros(self._now)
            return Hold(EffectState.PLANNED, moment(first) + _DAY, f"limit: {caps.per_day} launches in 24 h", LIMIT)
        return None

    def _of_version(self, rule: str, caps: Caps) -> int:
        """Launches of the rule's present version."""
        if caps.canary is None:
            return 0
        # One that failed counts as well: a gear that cannot be started must not be tried on every target.
        sent = or_(effects.c.state == _RUNNING, effects.c.launched.is_not(None), effects.c.state == _FAILED)
        mine = (effects.c.rule == rule, effects.c.kind == LAUNCH)
        return self._number(*mine, sent, effects.c.rule_version == caps.version)

    def _count(self, family: str, caps: Caps) -> _Count:
        """Launches sent, and those that are about to be: their attempt is open."""
        count = _Count()
        mine = (of_family(effects.c.rule, family), effects.c.kind == LAUNCH)
        under_way = effects.c.state == _RUNNING
        if caps.running is not None:
            on_site = and_(effects.c.launched.is_not(None), _not_ended())
            count.running = self._number(*mine, or_(under_way, on_site))
        if caps.per_day is not None:
            since = micros(self._now - _DAY)
            query = select(effects.c.launched).where(*mine, or_(under_way, effects.c.launched > since))
            now = micros(self._now)
            count.in_a_day = [now if row.launched is None else row.launched for row in self._connection.execute(query)]
        return count

    def _number(self, *where: Any) -> int:
        return int(self._connection.execute(select(func.count()).select_from(effects).where(*where)).scalar_one())


def is_retraction(row: Any) -> bool:
    """Whether an effect takes something back; this is never held up."""
    if row.kind == LAUNCH:
        return False
    params = unpack(row.params)
    return bool(params.get("operation") in (REMOVE, "delete") or params.get("status") == "resolved")


def call_waiting(connection: Connection, rule: str, now: datetime, *, never_sent: bool = False) -> None:
    """A place among a rule's launches is free: those that wait longest come again at once.

    `never_sent`: a launch that was counted turned out to be none (others ran it, nobody wants it any more). Then one
    that a canary holds may have its turn.
    """
    parked = and_(effects.c.state == _PLANNED, effects.c.held_for == LIMIT, effects.c.due > micros(now))
    if never_sent:
        parked = or_(parked, and_(effects.c.state == _HELD, effects.c.held_for == CANARY))
    family = of_family(effects.c.rule, family_of(rule))
    query = select(effects.c.id).where(family, effects.c.kind == LAUNCH, parked)
    ids = [row.id for row in connection.execute(query.order_by(effects.c.id).limit(CALLED_AT_ONCE))]
    if ids:
        again = {"state": _PLANNED, "due": micros(now), "held_for": None}
        connection.execute(update(effects).where(effects.c.id.in_(ids)).values(**again))


def call_all(connection: Connection, loaded: Iterable[str], changed: Iterable[str], now: datetime) -> None:
    """The rules were loaded anew: what was held back for a limit or a pause comes again.

    Args:
        connection: of the transaction.
        loaded: the rules that are loaded.
        changed: those whose version is new: what their canary held is weighed anew as well.
        now: the present, UTC.
    """
    values = {"due": micros(now), "error": None, "held_for": None}
    parked = (effects.c.state.in_((_PLANNED, _WAITING)), effects.c.held_for.in_((LIMIT, PAUSED)))
    stopped = {row.id for row in connection.execute(select(rules.c.id).where(rules.c.paused.is_(True)))}
    moving = [rule for rule in loaded if rule not in stopped]
    connection.execute(update(effects).where(*parked, effects.c.rule.in_(moving)).values(**values))
    held = (effects.c.state == _HELD, effects.c.held_for == CANARY)
    connection.execute(update(effects).where(*held, effects.c.rule.in_(list(changed))).values(**values, state=_PLANNED))


def release(connection: Connection, rule: str, now: datetime) -> int:
    """Let a rule's canary version go, with all that its canary held; how many these are.

    Raises:
        LookupError: there is no such rule.
    """
    version = connection.execute(select(rules.c.version).where(rules.c.id == rule)).scalar()
    if version is None:
        raise LookupError(f"there is no rule {rule!r}")
    connection.execute(update(rules).where(rules.c.id == rule).values(released=version))
    held = (effects.c.rule == rule, effects.c.state == _HELD, effects.c.held_for == CANARY)
    found = connection.execute(
        update(effects).where(*held).values(state=_PLANNED, due=micros(now), updated=micros(now), error=None)
    )
    return int(found.rowcount)


def unended_jobs(connection: Connection) -> int:
    """Launches of ours whose job has not ended on its site, as far as it was seen."""
    query = (
        select(func.count())
        .select_from(effects)
        .where(effects.c.kind == LAUNCH, effects.c.state == _DONE, effects.c.launched.is_not(None), _not_ended())
    )
    return int(connection.execute(query).scalar_one())


def _not_ended() -> Any:
    """The launch is unclear, or accepted and its job's last known state is no ending."""
    accepted = and_(effects.c.state == _DONE, func.coalesce(effects.c.job_state, "pending").not_in(ENDED))
    return or_(effects.c.state == _WAITING, accepted)
