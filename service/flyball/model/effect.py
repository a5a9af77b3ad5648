"""An effect: one change of the outside world, asked for once; its attempts and how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from flyball.model.node import Target


class EffectState(StrEnum):
    """States of an effect.

    planned → running → done | failed | waiting | planned (transient failure, with a due time)
    held → planned (approve) | cancelled (reject); waiting → running …; done → undone.
    """

    PLANNED = "planned"
    HELD = "held"
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"
    SHADOW = "shadow"


TERMINAL = frozenset(
    {EffectState.DONE, EffectState.FAILED, EffectState.CANCELLED, EffectState.UNDONE, EffectState.SHADOW}
)


LOOKS_NEEDED: Final = 2
"""Empty answers of the site after an unclear attempt, before anything is sent again."""


class Outcome(StrEnum):
    """How one attempt ended. Every ending has a name; there is no silent return."""

    DONE = "done"  # the world is as asked
    ALREADY = "already"  # it was so before we did anything (others did it, or an earlier attempt of ours)
    TRANSIENT = "transient"  # try again, no earlier than the stored due time
    UNKNOWN = "unknown"  # no usable answer: ask the site before anything is sent again
    WAITING = "waiting"  # accepted by the other side; look again later
    REFUSED = "refused"  # credentials or permission
    PERMANENT = "permanent"  # can never succeed as it stands
    SUPERSEDED = "superseded"  # the wish went away before it was carried out
    CANCELLED = "cancelled"  # we are stopping; the work goes back untouched


class Blame(StrEnum):
    """Whose a transient failure is. It decides whether the effect may be given up for having failed too often."""

    REQUEST = "request"  # this request in particular: counts
    SITE = "site"  # the site is away, slow or overloaded: counts only where the rule says how often to try
    NOBODY = "nobody"  # we were told to wait (429), or the key must be mended first (401): never counts


@dataclass(frozen=True, slots=True)
class Effect:
    """One effect as the ledger knows it.

    Attributes:
        id: the ledger's number, as text.
        kind, params, once_key, summary, slot: as in the wish.
        target: the rule's target (the container changed is in `params["container"]`).
        attempts: number of attempts so far.
        failures: transient failures since it was planned or a person said `retry`, those that nobody is to blame for
            left out.
        unclear: number of attempts in a row whose outcome is not known yet, 0 when the last one is clear.
        looked: how often the site was asked for the once-key, in vain, since the last unclear attempt.
        outcome: JSON of what came of it (analysis id, job id, job state…), None before the end.
        error: trimmed text of the last failure, None when there is none.
    """

    id: str
    site: str
    rule: str
    target: Target
    kind: str
    state: EffectState
    once_key: str
    slot: str
    summary: str
    params: Mapping[str, Any]
    created: datetime
    updated: datetime
    attempts: int = 0
    unclear: int = 0
    looked: int = 0
    outcome: Mapping[str, Any] | None = None
    error: str | None = None
    due: datetime | None = None
    failures: int = 0

    @property
    def wants_another_look(self) -> bool:
        """Whether, should this look at the site find nothing either, another one is needed before anything is sent."""
        return self.unclear > 0 and self.looked + 1 < LOOKS_NEEDED

    def begun(self, params: Mapping[str, Any]) -> Effect:
        """As an attempt carries it out. (`dataclasses.replace` takes three times as long.)"""
        return Effect(
            self.id,
            self.site,
            self.rule,
            self.target,
            self.kind,
            EffectState.RUNNING,
            self.once_key,
            self.slot,
            self.summary,
            params,
            self.created,
            self.updated,
            self.attempts + 1,
            self.unclear,
            self.looked,
            self.outcome,
            self.error,
            None,
            self.failures,
        )

    def as_json(self) -> dict[str, Any]:
        """The shape of `/api/effects` and `--json`."""
        return {
            "id": self.id,
            "rule": self.rule,
            "target": self.target.as_json(),
            "kind": self.kind,
            "state": str(self.state),
            "once_key": self.once_key,
            "summary": self.summary,
            "params": dict(self.params),
            "attempts": self.attempts,
            "created": self.created.isoformat(),
            "updated": self.updated.isoformat(),
            "outcome": None if self.outcome is None else dict(self.outcome),
            "error": self.error,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one attempt says of itself; the workers turn it into a ledger entry.

    Attributes:
        outcome: the ending.
        detail: JSON for the effect's `outcome` field (kept when the effect ends). Of a waiting ending: what was learnt
            so far; it is kept among the effect's `params`.
        error: one line for people on any ending that is not good.
        wait: seconds until the next look, for transient, unknown and waiting endings; None: by the retry rule.
        looked: True when this attempt only asked the site for the once-key and found nothing.
        blame: of a transient ending.
        gone: the site said 404: something that the effect named is not there any more.
    """

    outcome: Outcome
    detail: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    wait: float | None = None
    looked: bool = False
    blame: Blame = Blame.REQUEST
    gone: bool = False
