"""What of the daemon a replica works with, and how long things take."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from flyball.events.dispatch import Dispatcher
from flyball.triggers.watching import Watching
from flyball.wake import Bell
from flyball.workers.crew import Crew

BEAT: Final = 0.8  # seconds between signs of life
LEASE: Final = 3.0  # seconds for which one of them holds
MARGIN: Final = 2.0
SILENCE: Final = timedelta(seconds=LEASE + MARGIN)
LEAD_EVERY: Final = 0.5  # seconds between tries to become the leader
REPORT_EVERY: Final = 0.25  # seconds between looks of the leader for something to tell
HAND_EVERY: Final = 0.5  # seconds between looks for looks that have become due
REAP_EVERY: Final = 5.0  # seconds between looks for what nobody works on, without a sign that somebody died
AGAIN: Final = 1.0  # seconds until what broke with the database is begun again
MOST: Final = 2000  # looks handed out in one transaction


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the daemon the replica works with.

    Attributes:
        dispatcher, crew: which decide, and carry out.
        watches: site → its watch.
        decide, act: to be rung when something may have to be decided, or done.
        deliver: to be called when a delivery was stored.
        reload: reads the rule folder anew.
    """

    dispatcher: Dispatcher
    crew: Crew
    watches: Mapping[str, Watching]
    decide: Bell
    act: Bell
    deliver: Callable[[], None]
    reload: Callable[[], Awaitable[Any]]
