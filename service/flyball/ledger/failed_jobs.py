"""Launches that the site took and whose job failed there: grouped by gear, as failed effects are by reason."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, select

from flyball.ledger.codec import moment, unpack
from flyball.ledger.failures import Group
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState

KIND: Final = "job"  # of these groups: the effect itself is done
_JOB_FAILED: Final = "failed"  # Flywheel's word for a job's state
_REASON: Final = "the site took the job, and it failed there; its log on the site says why"
_LOOKED_AT: Final = 5_000  # the newest launches with a failed job


def failed_jobs(connection: Connection) -> list[Group]:
    """The launches whose job failed, a group for each gear, largest first."""
    query = (
        select(effects.c.id, effects.c.rule, effects.c.path, effects.c.params, effects.c.updated)
        .where(
            effects.c.job > "",  # takes the index over jobs, which has launches only
            effects.c.job_state == _JOB_FAILED,
            effects.c.state == str(EffectState.DONE),
        )
        .order_by(effects.c.id.desc())
        .limit(_LOOKED_AT)
    )
    found: dict[str | None, Group] = {}
    for row in connection.execute(query):
        gear, when = unpack(row.params).get("gear"), moment(row.updated)
        group = found.setdefault(gear, Group(KIND, gear, _REASON, first=when, last=when))
        group.rules.add(row.rule)
        group.ids.append(row.id)
        group.paths.append(row.path)
        group.first = when if group.first is None else min(group.first, when)
        group.last = when if group.last is None else max(group.last, when)
    return sorted(found.values(), key=lambda group: (-len(group.ids), group.gear or ""))
