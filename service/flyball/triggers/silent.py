"""Silent jobs: those that seem to run and say nothing any more are asked for singly.

A running job's heartbeat moves its `modified` about every 30 s. A job that the site gave up on ends without moving it
(live19), so that no poll brings its end.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from flyball.ledger.launched import running_launches
from flyball.ledger.limiting import ENDED
from flyball.ledger.mirror import find
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey
from flyball.triggers.needs import Needs
from flyball.triggers.poller import Poller
from flyball.triggers.presence import Asked

SILENCE = timedelta(minutes=6)  # the site gives a job up after 5
AGAIN = timedelta(minutes=5)  # between two looks
MOST = 50  # jobs a look


class SilentJobs:
    """Looks after jobs of one site.

    Args:
        poller: of the site.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller = poller
        self._looked: datetime | None = None

    async def look(self, needs: Needs) -> int:
        """Read the silent ones again, if it is time; how many requests that took.

        Raises:
            SiteError: the site could not be asked.
        """
        poller, now = self._poller, self._poller.clock.now()
        if Level.JOB not in needs.streams or (self._looked is not None and now < self._looked + AGAIN):
            return 0
        first, self._looked = self._looked is None, now
        if first:
            return 0  # the polls have just begun
        watched = set(await poller.store.read(lambda connection: running_launches(connection, poller.site)))
        watched |= poller.taking.running
        keys = [NodeKey(poller.site, Level.JOB, ident) for ident in sorted(watched)]
        known = await poller.store.read(lambda connection: find(connection, keys))
        silent = [key for key in keys if _is_silent(known.get(key), poller.site_now())][:MOST]
        if silent:
            nodes = await poller.taking.reading.again(silent, needs)
            await poller.taking.store(nodes, Asked(), source="sweep", sure=True)
        return len(silent)


def _is_silent(job: Node | None, now: datetime) -> bool:
    """A launch of ours that was never seen counts as silent."""
    if job is None:
        return True
    if job.doc.get("state") in ENDED:
        return False
    return job.modified is None or job.modified + SILENCE < now
