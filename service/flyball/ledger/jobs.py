"""Following: what becomes of a launch's job on the site, shown in the launch's outcome."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, or_, select, update

from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.limiting import ENDED, LAUNCH, call_waiting
from flyball.ledger.tables import effects
from flyball.model.effect import EffectState
from flyball.rules.keys import PREFIX

RUN_AGAIN_AFTER = timedelta(seconds=10)  # the site may retry a failed job by itself; then it is not asked to


def follow_job(connection: Connection, job: Mapping[str, Any], now: datetime | None = None) -> None:
    """Show a job's state in the outcome of the launch that made it: by its id, or by the once-key among its tags.

    A retry is a new job with the same tags (live19); the launch follows the newest one. A job that was retried, or that
    is older than the one followed, is no news. One that failed is run again, as often as the launch says.

    Args:
        connection: of the transaction.
        job: as the site has it, with `id`.
        now: the present, UTC; when launches that wait for a free place are called.
    """
    ident, state = job.get("id"), job.get("state")
    if not isinstance(ident, str) or not isinstance(state, str):
        return
    tags = job.get("tags")
    keys = [tag for tag in tags if isinstance(tag, str) and tag.startswith(PREFIX)] if isinstance(tags, list) else []
    mine = effects.c.job == ident
    if keys:
        mine = or_(mine, effects.c.once_key.in_(keys))
    query = select(effects).where(mine, effects.c.kind == LAUNCH, effects.c.state == str(EffectState.DONE))
    for row in connection.execute(query).all():
        before = unpack(row.outcome) or {}
        if before.get("already") and row.job != ident:
            continue  # others ran it; a job of ours with this key would be a stranger's copy of our tags
        if row.job not in (None, ident) and _is_older(job, before):
            continue
        outcome = _outcome(before, job)
        values: dict[str, Any] = {} if outcome == before else {"outcome": pack(outcome), "job": ident}
        values |= {"job_state": state} if values else {}
        when = now or datetime.now(UTC)
        if _is_run_again(row, outcome, job):
            values |= {"params": pack({**unpack(row.params), "relaunch": ident}), "updated": micros(when)}
            values |= {"state": str(EffectState.PLANNED), "due": micros(when + RUN_AGAIN_AFTER)}
        if not values:
            continue
        connection.execute(update(effects).where(effects.c.id == row.id).values(**values))
        if state in ENDED and row.launched is not None:
            call_waiting(connection, row.rule, when)


def _outcome(before: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, Any]:
    """A launch's outcome with its job as it is now."""
    outcome = {**before, "job": job["id"], "job_state": job["state"]}
    if isinstance(job.get("attempt"), int):
        outcome["job_attempt"] = job["attempt"]
    outcome.pop("failure_reason", None)
    if job["state"] == "failed" and job.get("failure_reason"):
        outcome["failure_reason"] = str(job["failure_reason"])[:200]
    return outcome


def _is_run_again(row: Any, outcome: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Whether the site is to be asked to run a failed job of ours again (`relaunch_failed`)."""
    if job["state"] != "failed" or job.get("retried") or row.launched is None or outcome.get("already"):
        return False
    return int(unpack(row.params).get("relaunch_failed") or 0) > int(outcome.get("relaunched") or 0)


def _is_older(job: Mapping[str, Any], followed: Mapping[str, Any]) -> bool:
    """Whether a job is an earlier attempt than the one that is followed."""
    if job.get("retried"):
        return True
    attempt, known = job.get("attempt"), followed.get("job_attempt")
    return isinstance(attempt, int) and isinstance(known, int) and attempt < known
