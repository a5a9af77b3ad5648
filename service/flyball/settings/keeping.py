"""How long history is kept, and how large the ledger may grow."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from flyball.configfile.durations import Duration, within
from flyball.settings.parts import Part

_SHORTEST = "1h"


class Keep(Part):
    """How long the ledger keeps what only explains the past.

    What keeps a promise stays for good: once-keys, claims, whose a tag is, what waits, what is open, what is current.
    """

    events: Annotated[Duration, within(_SHORTEST)] = Field(
        default=timedelta(days=90),
        description="What was seen. A webhook's delivery that is sent again later than this is taken for a new one.",
    )
    decisions: Annotated[Duration, within(_SHORTEST)] = Field(
        default=timedelta(days=180),
        description="Decisions that a newer one has replaced. The last decision on each target is always kept.",
    )
    attempts: Annotated[Duration, within(_SHORTEST)] = Field(
        default=timedelta(days=90),
        description="Single attempts at effects that have ended. The effects themselves are always kept.",
    )
    intents: Annotated[Duration, within(_SHORTEST)] = Field(
        default=timedelta(days=30), description="What the command line and webhooks asked for, once it was done."
    )
    max_mb: Annotated[int, Field(ge=0)] = Field(
        default=20_000,
        description="How large the ledger may grow, in MB; 0 for no such limit. Beyond it, history older than a day is "
        "cleared, and where that is not enough the readiness says so. Nothing stops: the disk is the last limit.",
    )
