"""Doubts: an effect met something that is not there any more, so what the mirror says of it is read again.

A launch may choose a file of a session that was deleted a moment ago; no list tells that before the next sweep. The
site's 404 does: the containers and files that the effect was about are asked for one by one, what is gone is stored as
gone, and the rules look at their targets again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import structlog

from flyball.ledger.mirror import ancestor_keys, find
from flyball.model.effect import Effect, Report
from flyball.model.errors import SiteError
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import NodeKey
from flyball.triggers.watch import Watch
from flyball.wake import Bell

log = structlog.get_logger()
AGAIN = 30.0  # seconds until what could not be asked is asked again
MOST = 1000  # doubts kept; beyond, the sweep finds what is gone


class Doubts:
    """What has to be read again, by site.

    Args:
        watches: site → its watch.
    """

    def __init__(self, watches: Mapping[str, Watch]) -> None:
        self._watches = watches
        self._open: dict[NodeKey, None] = {}
        self._bell = Bell()

    def saw(self, effect: Effect, report: Report) -> None:
        """An attempt ended; a 404 raises doubts about everything that it named."""
        if report.gone and len(self._open) < MOST:
            self._open |= dict.fromkeys(named_in(effect))
            self._bell.ring()

    async def run(self) -> None:
        """Settle doubts as they come, until cancelled."""
        while True:
            await self._bell.wait(AGAIN)
            await self.step()

    async def step(self) -> int:
        """Ask for everything in doubt; how many things could be asked."""
        asked = 0
        for site, watch in self._watches.items():
            mine = [key for key in self._open if key.site == site]
            if not mine:
                continue
            try:
                roll = await watch.poller.store.read(partial(_with_ancestors, keys=mine))
                await watch.poller.taking.call_roll(roll, watch.needs, source="effect")
            except SiteError as error:
                log.warning("doubts.stay", site=site, things=len(mine), error=str(error))
                continue
            asked += len(mine)
            for key in mine:
                self._open.pop(key, None)
        return asked


def _with_ancestors(connection: Any, keys: Sequence[NodeKey]) -> list[NodeKey]:
    """The keys, and what these nodes hang on: when a file is gone, often its session is."""
    nodes = find(connection, keys)
    return list(dict.fromkeys([*keys, *(above for node in nodes.values() for above in ancestor_keys(node))]))


def named_in(effect: Effect) -> list[NodeKey]:
    """The target, the container and the input files of an effect, and what these hang on."""
    levels = set(map(str, HIERARCHY))
    found: list[tuple[Any, Any]] = [(effect.target.level, effect.target.id)]
    container = effect.params.get("container")
    if isinstance(container, Mapping):
        found.append((container.get("level"), container.get("id")))
    for reference in (effect.params.get("inputs") or {}).values():
        found += [(reference.get("type"), reference.get("id")), (Level.FILE, reference.get("file_id"))]
    keys = [
        NodeKey(effect.site, Level(level), ident)
        for level, ident in found
        if level in levels and isinstance(ident, str)
    ]
    return list(dict.fromkeys(keys))
