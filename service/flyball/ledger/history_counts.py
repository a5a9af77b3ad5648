"""Counting the ledger: what stands in it by rule and state, and whether anything is due now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, exists, func, select

from flyball.ledger.codec import micros
from flyball.ledger.looking import RULE_OF_DUE
from flyball.ledger.tables import alerts, decisions, effects, looks
from flyball.model.decision import Verdict
from flyball.model.effect import TERMINAL, EffectState

_ACTIVE: Final = tuple(str(state) for state in EffectState if state not in TERMINAL)
_DUE: Final = (str(EffectState.PLANNED), str(EffectState.WAITING))
_TROUBLED: Final = (*_DUE, str(EffectState.FAILED))


def _verdicts() -> dict[str, int]:
    return {str(verdict): 0 for verdict in Verdict}


def _states() -> dict[str, int]:
    return {str(state): 0 for state in EffectState}


@dataclass(slots=True)
class RuleCounts:
    """What the ledger holds of one rule.

    Attributes:
        decisions: verdict → targets on which the rule says so now.
        effects: state → effects, all states named.
        last_error: text of the newest attempt's failure, among effects that failed or are tried again.
    """

    decisions: dict[str, int] = field(default_factory=_verdicts)
    effects: dict[str, int] = field(default_factory=_states)
    last_error: str | None = None


@dataclass(slots=True)
class Counts:
    """What the ledger holds, of one moment.

    Attributes:
        rules: rule → counts, for every rule that decided or did something.
        effects: state → effects of all rules.
        settling: looks whose time has not come.
        held: effects that wait for a person.
        alerts: open alerts.
    """

    rules: dict[str, RuleCounts] = field(default_factory=dict)
    effects: dict[str, int] = field(default_factory=_states)
    settling: int = 0
    held: int = 0
    alerts: int = 0

    def of(self, rule: str) -> RuleCounts:
        """The counts of a rule; zeros for one that did nothing yet."""
        return self.rules.get(rule) or RuleCounts()


def counts(connection: Connection, now: datetime) -> Counts:
    """Everything that `/status` counts, on one snapshot."""
    found = Counts()
    for rule, verdict, number in connection.execute(
        select(decisions.c.rule, decisions.c.verdict, func.count())
        .where(decisions.c.current.is_(True))
        .group_by(decisions.c.rule, decisions.c.verdict)
    ):
        found.rules.setdefault(rule, RuleCounts()).decisions[verdict] = number
    for rule, state, number in connection.execute(
        select(effects.c.rule, effects.c.state, func.count()).group_by(effects.c.rule, effects.c.state)
    ):
        mine = found.rules.setdefault(rule, RuleCounts()).effects
        mine[state] = number
        found.effects[state] += number
    for rule, error in _last_errors(connection):
        found.rules[rule].last_error = error
    found.settling = _count(connection, looks.c.due > micros(now), of=looks)
    found.held = found.effects[str(EffectState.HELD)]
    found.alerts = open_alerts(connection)
    return found


def _last_errors(connection: Connection) -> list[tuple[str, str]]:
    """Rule → newest error. What is held back carries a reason in the same place, which is none."""
    newest = (
        func.row_number()
        .over(partition_by=effects.c.rule, order_by=(effects.c.updated.desc(), effects.c.id.desc()))
        .label("newest")
    )
    ranked = (
        select(effects.c.rule, effects.c.error, newest)
        .where(
            effects.c.state.in_(_TROUBLED),
            effects.c.error.is_not(None),
            effects.c.attempts > 0,
            effects.c.held_for.is_(None),
        )
        .subquery()
    )
    query = select(ranked.c.rule, ranked.c.error).where(ranked.c.newest == 1)
    return [(row.rule, row.error) for row in connection.execute(query)]


def open_alerts(connection: Connection) -> int:
    """How many alerts are open."""
    return _count(connection, alerts.c.status == "open", of=alerts)


@dataclass(frozen=True, slots=True)
class Pending:
    """What there is to do now, for `idle` and the queue's depth.

    Attributes:
        looks_due, effects_due: whose time has come.
        running: attempts under way.
        idle: nothing is due and nothing runs. An effect that stands behind a held or waiting one of its lane is
            not due, although its time has come.
    """

    looks_due: int
    effects_due: int
    running: int
    idle: bool


def pending(
    connection: Connection,
    now: datetime,
    *,
    rules: Collection[str] | None = None,
    sites: Collection[str] | None = None,
) -> Pending:
    """What is due now.

    Args:
        connection: of the transaction.
        now: the present, UTC.
        rules: those that may decide now; a paused rule's looks wait without being due. None: all.
        sites: those that are worked on; None: all.
    """
    stamp = micros(now)
    my_looks: list[Any] = [looks.c.due <= stamp]
    if rules is not None:
        my_looks.append(RULE_OF_DUE.in_(rules))
    my_effects: list[Any] = [effects.c.state.in_(_DUE), effects.c.due <= stamp]
    if sites is not None:
        my_effects.append(effects.c.site.in_(sites))
    looks_due = _count(connection, *my_looks, of=looks)
    effects_due = _count(connection, *my_effects, of=effects)
    running = _count(connection, effects.c.state == str(EffectState.RUNNING), of=effects)
    free = not (looks_due or running)
    if free and effects_due:
        earlier = effects.alias()
        blocked = exists().where(
            earlier.c.lane == effects.c.lane, earlier.c.id < effects.c.id, earlier.c.state.in_(_ACTIVE)
        )
        free = connection.execute(select(effects.c.id).where(*my_effects, ~blocked).limit(1)).first() is None
    return Pending(looks_due, effects_due, running, idle=free)


def _count(connection: Connection, *where: Any, of: Any) -> int:
    return connection.execute(select(func.count()).select_from(of).where(*where)).scalar_one()
