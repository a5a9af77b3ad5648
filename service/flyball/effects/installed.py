"""The effect kinds of this installation: those of this version, and those of installed packages.

Packages bring kinds through the entry-point group `flyball.effects` (see `effects.plugin`). One that cannot be used is
refused alone, with a reason: rules that ask for it are refused with that reason, and effects of it that are in the
ledger already wait until it is mended.
"""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ConfigDict

from flyball import __version__
from flyball.effects.catalog import KINDS
from flyball.effects.guarded import Guarded, told
from flyball.effects.plugin import GROUP
from flyball.effects.port import Hands
from flyball.model.effect import Blame, Effect, Outcome, Report
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.reading.doing import KNOWN_KINDS
from flyball.rules.rule import EffectSpec, WhenOver

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?")
WAIT = 600.0  # seconds until an effect of a kind that cannot be loaded looks whether it can be now


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a kind comes from.

    Attributes:
        kind: its name.
        package: name and version of the package.
        where: `module:attribute`; empty for a shipped one.
        error: why it cannot be used; empty when it can.
    """

    kind: str
    package: str
    where: str = ""
    error: str = ""

    def __str__(self) -> str:
        place = f"{self.package} ({self.where})" if self.where else self.package
        return f"{self.kind}: {place}" + (f" cannot be used: {self.error}" if self.error else "")


@dataclass(frozen=True, slots=True)
class Installed:
    """What is installed.

    Attributes:
        kinds: the kinds that can be used, by name.
        catalog: these, and in place of each that cannot be used one that says so.
        origins: where each comes from, by name; the shipped ones first.
    """

    kinds: Mapping[str, Any]
    catalog: Mapping[str, Any]
    origins: tuple[Origin, ...]

    @property
    def broken(self) -> tuple[Origin, ...]:
        """The kinds that cannot be used."""
        return tuple(origin for origin in self.origins if origin.error)

    @property
    def brought(self) -> tuple[Origin, ...]:
        """The kinds that packages bring, usable or not."""
        return tuple(origin for origin in self.origins if origin.where)


@cache
def installed() -> Installed:
    """The kinds of this process; packages are looked at once."""
    return load(entry_points(group=GROUP))


def load(points: Iterable[EntryPoint], shipped: Mapping[str, Any] = KINDS) -> Installed:
    """Load the kinds that entry points name.

    Args:
        points: of the group.
        shipped: the kinds of this version.
    """
    found = sorted(set(points), key=lambda point: (point.name, _package(point), point.value))
    times = Counter(point.name for point in found)
    kinds, catalog = dict(shipped), dict(shipped)
    origins = [Origin(name, f"flyball {__version__}") for name in sorted(shipped)]
    for point in found:
        try:
            kind: Any = Guarded(_checked(point, shipped, alone=times[point.name] == 1))
            kinds[point.name] = kind
            error = ""
        except _Unusable as reason:
            error = str(reason)
            kind = Broken(point.name, f"{_package(point)} cannot be used: {error}")
        if point.name not in shipped:
            catalog[point.name] = kind
        origins.append(Origin(point.name, _package(point), point.value, error))
    return Installed(kinds, catalog, tuple(origins))


class _Unusable(Exception):  # noqa: N818 - it is the reason, told to people
    """Why a kind cannot be used."""


def _package(point: EntryPoint) -> str:
    return "an unknown package" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def _checked(point: EntryPoint, shipped: Mapping[str, Any], *, alone: bool) -> Any:
    """The kind that an entry point leads to; `alone`: no other package brings one of its name."""
    name = point.name
    if not alone:
        raise _Unusable("several packages bring a kind of this name; keep one of them")
    if not _NAME.fullmatch(name):
        raise _Unusable("the name of a kind is a lower-case word, or two joined by a dot")
    if name in shipped or name in KNOWN_KINDS:
        raise _Unusable("this is the name of a kind of Flyball's own; take another")
    try:
        kind = point.load()
        kind = kind() if isinstance(kind, type) else kind
        _fits(kind, name)
    except _Unusable:
        raise
    except (Exception, SystemExit) as error:
        raise _Unusable(told(error)) from error
    return kind


def _fits(kind: Any, name: str) -> None:
    """Whether it has the shape of a kind."""
    if getattr(kind, "name", None) != name:
        raise _Unusable(f"its `name` is {getattr(kind, 'name', None)!r}, and the entry point's is {name!r}")
    params = getattr(kind, "params", None)
    if not (isinstance(params, type) and issubclass(params, BaseModel)):
        raise _Unusable("its `params` is no model; derive it from flyball.effects.plugin.Params")
    if params.model_config.get("extra") != "forbid":
        raise _Unusable("its `params` take unknown keys; derive it from flyball.effects.plugin.Params")
    params.model_json_schema()
    if getattr(kind, "over", None) is not WhenOver.LEAVE:
        raise _Unusable("its `over` must be WhenOver.LEAVE: only shipped kinds can take back what they did")
    if not callable(getattr(kind, "compile", None)):
        raise _Unusable("it has no `compile`")
    if not inspect.iscoroutinefunction(getattr(kind, "carry_out", None)):
        raise _Unusable("its `carry_out` is no coroutine function (`async def`)")


class _Anything(BaseModel):
    """Parameters of a kind that nobody knows."""

    model_config = ConfigDict(extra="allow")


class Broken:
    """In place of a kind that cannot be used."""

    params = _Anything
    over = WhenOver.LEAVE

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self._reason = reason

    def compile(self, params: Any, when: Expression | None, index: int, compiler: Compiler) -> EffectSpec:  # noqa: ARG002 - the signature is the kinds'
        """Refuse the rule."""
        raise Fault((), f"the effect kind `{self.name}` of {self._reason}")

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:  # noqa: ARG002 - the signature is the kinds'
        """Wait: the effect was planned by a version of the package that could be used."""
        return Report(Outcome.TRANSIENT, error=f"the package {self._reason}", wait=WAIT, blame=Blame.NOBODY)
