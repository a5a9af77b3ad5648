"""The canary: how the site wants to be asked is shown at the start, and again when there is more to show it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.probe import probe
from flyball.ledger.noticing import load_fact, save_fact
from flyball.triggers.poller import Poller

log = structlog.get_logger()
PATIENCE = 10  # rounds with news between two probes, once a probe has seen that there is something


class Canary:
    """Probes one site.

    Args:
        poller: of the site.
        met: called after the first probe: the site's clock is known then.
    """

    def __init__(self, poller: Poller, met: Callable[[], Awaitable[None]] | None = None) -> None:
        self._poller = poller
        self._met = met
        self._probed = False
        self._news = 0
        self.findings: tuple[str, ...] = ()

    @property
    def probed(self) -> bool:
        """Whether the site was probed, and has not answered otherwise since."""
        return self._probed

    async def sing(self) -> None:
        """Probe, if it is time."""
        if self._probed and not self._worth_it():
            return
        self._news = 0
        client, store, name = self._poller.client, self._poller.store, f"dialect/{self._poller.site}"
        if not self._probed:
            known = await store.read(lambda connection: load_fact(connection, name))
            if known is not None:
                client.dialect = Dialect.from_json(known)
        client.dialect = dialect = await probe(client)
        if not self._probed and self._met is not None:
            await self._met()
        self._probed = True
        if dialect.findings != self.findings:
            self.findings = dialect.findings
            for finding in dialect.findings:
                log.warning("site.differs", site=self._poller.site, finding=finding)
        now = self._poller.clock.now()
        await store.write(lambda connection: save_fact(connection, name, dialect.to_json(), now))

    def saw(self, changes: int) -> None:
        """A round brought something."""
        if changes:
            self._news += 1

    def refused(self) -> None:
        """The site answers otherwise than was shown: it has to be asked anew."""
        self._probed = False

    def _worth_it(self) -> bool:
        """Something is unproved and something new is there to prove it on; an empty site's first news at once."""
        dialect = self._poller.client.dialect
        if not dialect.unproved:
            return False
        return self._news >= (1 if not dialect.filters_proved else PATIENCE)
