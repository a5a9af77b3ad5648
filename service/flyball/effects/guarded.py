"""A kind from another package, held at arm's length: its mistakes end at the rule or the effect that uses it.

What a shipped kind does wrong is a mistake of this program; what a plug-in does wrong must not keep other rules from
being read or decided. So whatever it raises is turned into what the caller knows: a refused rule, an unknown wish. What
it does while carrying out is caught with all kinds' mistakes, in `workers.attempt`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel, ValidationError, create_model, model_validator

from flyball.effects.port import Hands, Kind
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Report
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.rule import EffectSpec, Moment, WhenOver

_KEY = re.compile(r"fb-[a-z2-7]{26}")


def told(error: BaseException) -> str:
    """One line about somebody else's exception."""
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class Guarded:
    """A kind as the package made it, behind the guard.

    Attributes:
        name, params, over: as the kind's own; `params` refuses what the kind's checks fall over.
    """

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self.name = kind.name
        self.over: WhenOver = kind.over
        self.params = _guarded(kind.params, self.name)

    def compile(self, params: Any, when: Expression | None, index: int, compiler: Compiler) -> EffectSpec:
        """The kind's entry, guarded."""
        try:
            guarded = GuardedEntry(self._kind.compile(params, when, index, compiler), f"{index}.")
        except Fault:
            raise
        except Exception as error:
            raise Fault((), f"the plug-in `{self.name}` cannot read this: {told(error)}") from error
        if guarded.kind != self.name:
            raise Fault((), f"the plug-in `{self.name}` made an entry of the kind `{guarded.kind}`")
        return guarded

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt of the kind's."""
        report: Any = await self._kind.carry_out(effect, hands)
        if not isinstance(report, Report):
            raise TypeError(f"the plug-in `{self.name}` gave {type(report).__name__} where a Report is due")
        return report


class GuardedEntry:
    """One compiled entry. What else the package's entry has is passed through."""

    def __init__(self, entry: EffectSpec, place: str) -> None:
        self._entry = entry
        self._place = place
        self.kind = entry.kind
        self.reads = frozenset(entry.reads)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_entry":
            raise AttributeError(name)
        return getattr(self._entry, name)

    def because(self, moment: Moment) -> Iterable[Because]:
        """The entry's own explanation, as far as it goes."""
        try:
            return list(self._entry.because(moment))
        except Exception as error:  # noqa: BLE001 - another package's mistake ends here
            return [Because(f"do: {self.kind}", "unknown", {}, f"the plug-in failed: {told(error)}")]

    def wishes(self, moment: Moment) -> Iterator[Wish]:
        """The entry's wishes, all of them sound, or one that says why not."""
        try:
            wishes = list(self._entry.wishes(moment))
            for wish in wishes:
                self._check(wish)
        except Exception as error:  # noqa: BLE001 - another package's mistake ends here
            reason = f"the plug-in failed: {told(error)}"
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", reason, f"{self._place}{self.kind}", reason)
            return
        yield from wishes

    def _check(self, wish: Wish) -> None:
        """Other kinds' claims are theirs, and what is stored must be JSON."""
        if wish.kind != self.kind:
            raise ValueError(f"a wish of the kind {wish.kind!r}")
        if not wish.slot.startswith(self._place):
            raise ValueError(f"a slot that does not begin with {self._place!r}: {wish.slot!r}")
        if wish.over != str(WhenOver.LEAVE):
            raise ValueError("only what is left as it is can be wished for")
        if wish.want is Verdict.YES and not _KEY.fullmatch(wish.once_key):
            raise ValueError("no once-key: make it with once_key(...)")
        json.dumps(dict(wish.params), allow_nan=False)


def _guarded(params: type[BaseModel], name: str) -> type[BaseModel]:
    """The same model; checks of its own that fall over are wrong values, not the end of the reading."""

    def guard(data: Any, handler: Any) -> Any:
        try:
            return handler(data)
        except (ValidationError, ValueError, AssertionError):
            raise
        except Exception as error:
            raise ValueError(f"the plug-in `{name}` cannot read this: {told(error)}") from error

    guards: Any = model_validator(mode="wrap")
    checks: dict[str, Any] = {"flyball_guard": guards(guard)}
    made: type[BaseModel] = create_model(params.__name__, __base__=params, __validators__=checks)
    made.__doc__ = params.__doc__
    return made
