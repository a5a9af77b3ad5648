"""The live view: one look at the daemon feeds every open page, and a page is sent only what is new to it.

A look is taken when a page waits for one, never otherwise, and no more often than it is cheap: at most a tenth of the
time goes into looking. Messages are JSON objects of parts; a part that is absent has not changed:

    {"at", "readiness", "status" (without rules), "rules": {ID: … or null when it is gone}, "now", "held", "failures",
     "recent", "alerts", "weather", "trouble", "acting"}

The first message of a stream has all parts. `acting` says what acting takes: `token`, `free` or `never`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from flyball.model.errors import FlyballError
from flyball.model.ports import Clock
from flyball.web.port import Daemon, Json
from flyball.web.readiness import readiness

_SHARE: Final = 10.0  # a look that took a second is taken every ten seconds at most
_ROWS: Final = 25
_ALERTS: Final = 25
_GROUPS: Final = 20
_TICKING: Final = ("uptime_s",)  # what changes by itself is no news
_RULE: Final = ("title", "site", "each", "mode", "last_error", "rejected")  # of a rule; with the counts above zero
_KEPT: Final = ("id", "rule", "target", "kind", "state", "summary", "attempts", "created", "updated", "error")


@dataclass(frozen=True, slots=True)
class View:
    """What a page shows, of one moment."""

    at: str
    parts: Mapping[str, Any]


class Live:
    """The shared look at one daemon.

    Args:
        daemon: what is looked at.
        clock: the time.
        every: seconds between two looks, at the least.
        acting: what acting takes: `token`, `free` or `never`.
    """

    def __init__(self, daemon: Daemon, clock: Clock, every: float = 1.0, *, acting: str = "token") -> None:
        self._daemon = daemon
        self._acting = acting
        self._clock = clock
        self._every = every
        self._cost = 0.0
        self._looked = float("-inf")
        self._view: View | None = None
        self._looking = asyncio.Lock()

    @property
    def pause(self) -> float:
        """Seconds from one look to the next."""
        return max(self._every, self._cost * _SHARE)

    async def view(self) -> View:
        """The present view; an older one while it is younger than `pause`."""
        async with self._looking:
            began = self._clock.monotonic()
            if self._view is None or began - self._looked >= self.pause:
                self._view = View(self._clock.now().isoformat(), await self._look())
                self._looked = self._clock.monotonic()
                self._cost = self._looked - began
            return self._view

    async def _look(self) -> dict[str, Any]:
        daemon = self._daemon
        said, _ = await readiness(daemon)
        parts: dict[str, Any] = {"readiness": said, "trouble": None, "acting": self._acting}
        try:
            status = dict(await daemon.status())
            parts["rules"] = {name: _brief(rule) for name, rule in status.pop("rules", {}).items()}
            parts["status"] = status
            parts["now"] = await self._effects("running")
            parts["held"] = await self._effects("held")
            parts["failures"] = _worst([*await daemon.failures(), *await daemon.failed_jobs()])
            parts["weather"] = await daemon.weather()
            parts["recent"] = await self._effects(None)
            parts["alerts"] = (await daemon.alerts(state="open", limit=_ALERTS))["results"]
        except FlyballError as error:
            parts["trouble"] = str(error)
        return parts

    async def _effects(self, state: str | None) -> list[Json]:
        found = await self._daemon.effects(state=state, limit=_ROWS)
        return [_short(effect) for effect in found["results"]]


def _brief(rule: Mapping[str, Any]) -> Json:
    """A rule as tables show it: a thousand of them make one message."""
    said = {name: rule[name] for name in _RULE if rule.get(name) is not None}
    for name in ("decisions", "effects"):
        said[name] = {key: number for key, number in (rule.get(name) or {}).items() if number}
    return said


def _worst(groups: Sequence[Json]) -> Json:
    """The largest groups, and how many more there are; of each group's effects one, as an example."""
    ordered = sorted(groups, key=lambda group: -group["count"])
    shown = [{**group, "effects": group["effects"][:1], "targets": group["targets"][:1]} for group in ordered[:_GROUPS]]
    return {"groups": shown, "more": len(ordered) - len(shown)}


def _short(effect: Mapping[str, Any]) -> Json:
    """An effect without its parameters, which may be long, and which no table shows."""
    short = {name: effect.get(name) for name in _KEPT}
    outcome = effect.get("outcome")
    short["job_state"] = outcome.get("job_state") if isinstance(outcome, Mapping) else None
    return short


def news(view: View, before: View | None) -> Json | None:
    """What a page that has seen `before` must be told; None when there is nothing new."""
    if before is None:
        return {"at": view.at, **view.parts}
    found: Json = {}
    for name, part in view.parts.items():
        known = before.parts.get(name)
        if name == "rules" and isinstance(known, Mapping):
            changed: Json = {rule: said for rule, said in part.items() if known.get(rule) != said}
            changed.update(dict.fromkeys(known.keys() - part.keys()))
            if changed:
                found[name] = changed
        elif _steady(part) != _steady(known):
            found[name] = part
    return {"at": view.at, **found} if found else None


def _steady(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {name: value for name, value in part.items() if name not in _TICKING}
    return part
