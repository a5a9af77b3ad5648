"""One configured site, put together: client, pace, poller, watch."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from flyball import __version__
from flyball.clients import transport
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.collecting import Collecting
from flyball.clients.flywheel.contents import Contents
from flyball.clients.flywheel.keys import parse_key
from flyball.clients.flywheel.making import Making
from flyball.clients.flywheel.small_files import SmallFiles
from flyball.clients.flywheel.viewing import Viewing
from flyball.effects.lending import Folder, Poster
from flyball.effects.port import Channels, Hands
from flyball.ledger.noticing import Route
from flyball.model.ports import Clock, Store
from flyball.settings import FlywheelSite, Timeouts
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller
from flyball.triggers.watch import Watch
from flyball.workers.hands import SiteHands
from flyball.workers.pace import AdaptivePace
from flyball.workers.reporting import ReportPress
from flyball.workers.shared_pace import Budget, SharedPace
from flyball.workers.wired import SiteWire

Observer = Callable[[str, str, str, int | None, float], None]
"""Told of each attempt on the wire: site, method, path as a template, status (None: no answer), seconds."""


class Share(Protocol):
    """What replicas share of their sites."""

    def may_act(self) -> bool:
        """Whether this one may change anything now."""
        ...

    def budget(self, site: str) -> Budget:
        """The rate that all of them have together."""
        ...


@dataclass(slots=True)
class SiteParts:
    """What belongs to one Flywheel site."""

    name: str
    address: str
    settings: FlywheelSite
    client: FlywheelClient
    pace: AdaptivePace
    requests: RequestCount

    def watch(
        self,
        store: Store,
        clock: Clock,
        needs: Needs,
        route: Route,
        changed: Callable[[], None],
        met: Callable[[], Awaitable[None]],
    ) -> Watch:
        """The watch over this site for some rules."""
        poll = self.settings.poll
        poller = Poller(self.name, self.client, store, clock, route, poll.overlap)
        return Watch(
            poller, needs, every=poll.every, sweep_every=poll.sweep, advice=self.address, changed=changed, met=met
        )

    def hands(
        self,
        channels: Channels,
        secret: Callable[[str], str],
        clock: Clock,
        folder: Folder | None = None,
        poster: Poster | None = None,
        press: ReportPress | None = None,
    ) -> Hands:
        """What effects on this site may use."""
        wait = self.settings.unclear_wait
        unclear = (wait.reset.total_seconds(), wait.timeout.total_seconds())
        return Hands(
            SiteHands(self.client),
            channels,
            secret,
            clock.now(),
            unclear,
            wait.late.total_seconds(),
            collections=Collecting(self.client),
            contents=Contents(self.client),
            folder=folder,
            views=Viewing(self.client),
            making=Making(self.client),
            poster=poster,
            reports=None if press is None else press.at(self.name, self.address),
            small=SmallFiles(self.client),
            wire=SiteWire(self.client.transport),
        )


@dataclass(slots=True)
class RequestCount:
    """Requests to one site since the start."""

    total: int = 0
    throttled: int = 0
    failed: int = 0

    def observer(self, site: str, passed_on: Observer | None) -> transport.Observer:
        """What a site's transport tells of each attempt: it is counted, and passed on with the site's name."""

        def see(method: str, template: str, status: int | None, seconds: float) -> None:
            self.total += 1
            if status == 429:
                self.throttled += 1
            if status is None or status >= 500:
                self.failed += 1
            if passed_on is not None:
                passed_on(site, method, template, status, seconds)

        return see


def timeouts_of(settings: Timeouts) -> transport.Timeouts:
    """The time limits that are set for a site, in seconds."""
    return transport.Timeouts(
        connect=settings.connect.total_seconds(),
        silence=settings.silence.total_seconds(),
        whole=settings.whole.total_seconds(),
    )


def connect(
    name: str,
    settings: FlywheelSite,
    observe: Observer | None = None,
    *,
    share: Share | None = None,
    clock: Clock | None = None,
) -> SiteParts:
    """The parts of a site; nothing is sent yet. `share`: what it shares with other replicas; `clock`: the daemon's, to
    which the site's is compared.

    Raises:
        ConfigError: the key has no known form.
    """
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    credentials = parse_key(key)
    pace = AdaptivePace(settings.limits.concurrency, settings.limits.rate)
    count = RequestCount()
    more: dict[str, Any] = {} if clock is None else {"now": clock.now}
    client = FlywheelClient.connect(
        credentials,
        site=name,
        pace=pace if share is None else SharedPace(pace, share.budget(name), settings.limits.rate),
        may_act=None if share is None else share.may_act,
        user_agent=f"Flyball/{__version__}",
        observer=count.observer(name, observe),
        timeouts=timeouts_of(settings.timeouts),
        **more,
    )
    return SiteParts(name, credentials.base_url, settings, client, pace, count)
