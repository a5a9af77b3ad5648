"""A decision: the result of one rule on one target, with its explanation and what it asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from flyball.model.node import Target


class Verdict(StrEnum):
    """Three-valued, as the conditions are."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Because:
    """One sub-expression and what came of it."""

    expr: str
    result: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The shape of `why`'s `because` entries."""
        return {"expr": self.expr, "result": self.result, "values": dict(self.values), "note": self.note}


@dataclass(frozen=True, slots=True)
class Wish:
    """One thing that a decision asks for, before it is compared with what is there and what we did already.

    Attributes:
        kind: the effect kind (`tag`, `alert`, `launch`, …).
        want: yes: it should be so; no: it should not (retract, resolve); unknown: leave as it is.
        params: JSON of what to do, complete: the worker needs nothing else from the rule. Keys by kind, see
            the effect's module.
        once_key: identifies the effect for ever (`fb-…`).
        summary: one line for people, e.g. `+ tag LOW_SNR  scien/tome/…`.
        reason: why `want` is unknown or why the wish is refused, for people.
        slot: tells apart several wishes of one rule on one target that keep state: `0/LOW_SNR` is the tag LOW_SNR of
            the first `tag` entry, `1.alert` the second `alert`.
        over: what happens once it is no longer wanted: retract, resolve or leave.
    """

    kind: str
    want: Verdict
    params: Mapping[str, Any]
    once_key: str
    summary: str
    slot: str
    reason: str = ""
    over: str = "leave"


@dataclass(frozen=True, slots=True)
class Decision:
    """What `decide` returns.

    Attributes:
        rule, rule_version: who decided; the version is a hash of the rule's meaning.
        target: on what.
        verdict: yes, no, unknown. None while the rule does not decide yet (`held_until` or `held_by` says why).
        because: condition by condition.
        wishes: what the rule wants of the world, before claims are looked at.
        held_by: what keeps the rule from deciding (settle until …, since …, out of scope …).
        look_again: when the verdict can change by the passing of time alone.
        exhaustive: the wishes are all that the rule wants: what it claimed before and does not wish now goes.
    """

    rule: str
    rule_version: str
    target: Target
    verdict: Verdict | None
    because: tuple[Because, ...] = ()
    wishes: tuple[Wish, ...] = ()
    held_by: tuple[str, ...] = ()
    look_again: datetime | None = None
    exhaustive: bool = False
