"""Which jobs on the site are those of our launches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, func, or_, select

from flyball.ledger.limiting import ENDED, LAUNCH
from flyball.ledger.mirror import chunks
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState
from flyball.rules.keys import PREFIX


def launched_among(connection: Connection, jobs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those jobs that launches of ours made or count on: by their id, or by a once-key among their tags."""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for job in jobs:
        tags = job.get("tags")
        keys = (
            [tag for tag in tags if isinstance(tag, str) and tag.startswith(PREFIX)] if isinstance(tags, list) else []
        )
        for name in (str(job.get("id")), *keys):
            by_name.setdefault(name, []).append(job)
    names: set[str] = set()
    for some in chunks([*by_name]):
        query = select(effects.c.job, effects.c.once_key).where(
            or_(effects.c.job.in_(some), effects.c.once_key.in_(some)), effects.c.kind == LAUNCH
        )
        for row in connection.execute(query):
            names |= {row.job, row.once_key} & by_name.keys()
    found = {str(job.get("id")): job for name in by_name if name in names for job in by_name[name]}
    return [*found.values()]


def running_launches(connection: Connection, site: str) -> list[str]:
    """Ids of the jobs of our launches that have not ended, as far as was seen."""
    query = select(effects.c.job).where(
        effects.c.site == site,
        effects.c.kind == LAUNCH,
        effects.c.state == str(EffectState.DONE),
        effects.c.job.is_not(None),
        func.coalesce(effects.c.job_state, "pending").not_in(ENDED),
    )
    return sorted({row.job for row in connection.execute(query)})
