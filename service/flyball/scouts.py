"""One configured Neuroscout server, put together: client, pace, lists, lookups, watch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flyball import __version__
from flyball.clients.neuroscout.board import Board
from flyball.clients.neuroscout.catalogue import Catalogue
from flyball.clients.neuroscout.client import Login, NeuroscoutClient
from flyball.effects.scout.port import Scout
from flyball.effects.scout.queue import CompileQueue
from flyball.ledger.noticing import Route
from flyball.model.ports import Clock, Store
from flyball.settings import NeuroscoutSite
from flyball.sites import Observer, RequestCount, Share, timeouts_of
from flyball.triggers.scouting import ScoutWatch
from flyball.workers.pace import AdaptivePace
from flyball.workers.shared_pace import SharedPace

WEB_PAGE_PACE = 5.0
"""Seconds between two looks at most while something is compiling, at first: as the server's own web page does."""


@dataclass(slots=True)
class ScoutParts:
    """What belongs to one Neuroscout server."""

    name: str
    address: str
    settings: NeuroscoutSite
    client: NeuroscoutClient
    pace: AdaptivePace
    requests: RequestCount
    scout: Scout

    def watch(self, store: Store, clock: Clock, route: Route, changed: Callable[[], None]) -> ScoutWatch:
        """The watch over the account."""
        poll = self.settings.poll
        return ScoutWatch(
            self.client,
            self.scout.board,
            store,
            clock,
            route,
            every=poll.every,
            sweep_every=poll.sweep,
            changed=changed,
            address=self.address,
        )

    @property
    def unclear_wait(self) -> tuple[float, float]:
        """Seconds before the server is asked after an unclear end: (reset or kill, our own time-out)."""
        wait = self.settings.unclear_wait
        return wait.reset.total_seconds(), wait.timeout.total_seconds()


def connect_scout(
    name: str, settings: NeuroscoutSite, clock: Clock, observe: Observer | None = None, *, share: Share | None = None
) -> ScoutParts:
    """The parts of a Neuroscout server; nothing is sent yet. `share`: what it shares with other replicas."""
    pace = AdaptivePace(settings.limits.concurrency, settings.limits.rate)
    count = RequestCount()
    login = None
    if settings.email is not None and settings.password is not None:
        login = Login(settings.email, settings.password.get_secret_value())
    client = NeuroscoutClient.connect(
        settings.url,
        login,
        site=name,
        pace=pace if share is None else SharedPace(pace, share.budget(name), settings.limits.rate),
        may_act=None if share is None else share.may_act,
        user_agent=f"Flyball/{__version__}",
        observer=count.observer(name, observe),
        timeouts=timeouts_of(settings.timeouts),
    )
    scout = Scout(
        client,
        Catalogue(client, clock.monotonic),
        Board(client, clock.now),
        CompileQueue(settings.limits.compiling, shared=share is not None),
        min(WEB_PAGE_PACE, max(0.2, settings.poll.every.total_seconds())),
    )
    return ScoutParts(name, settings.url, settings, client, pace, count, scout)
