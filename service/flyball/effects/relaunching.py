"""Relaunching: a job that failed on the site is run again by the site's own retry, which keeps its tags.

Safe against doubles. A retry is a new job with the same tags that names the failed one (live19), and the site refuses
to retry a job twice. Before anything is sent, and after an unclear end twice, no earlier than the site's
`unclear_wait`, the jobs with the once-key are read; a newer one than the failed job is the retry, whoever asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.effects.port import Hands
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent, Refused

RELAUNCH = "relaunch"  # in the parameters of a launch: the failed job that is to be run again
Json = Mapping[str, Any]


async def relaunch(effect: Effect, hands: Hands) -> Report:
    """One attempt to run a failed job again. `detail` is the launch's outcome, with the new job in place of the old."""
    failed = str(effect.params[RELAUNCH])
    newer = await _newer(effect, hands, failed)
    if newer is not None:
        return _done(effect, str(newer["id"]), newer)
    if effect.wants_another_look:
        message = "the site does not show the retry yet; it is asked once more before anything is sent"
        return Report(Outcome.UNKNOWN, error=message, looked=True)
    if not effect.params.get("wanted", True):
        return Report(Outcome.DONE, dict(effect.outcome or {}))
    try:
        ident = await hands.site.retry_job(failed)
    except Permanent:
        newer = await _newer(effect, hands, failed)
        if newer is None:
            raise
        return _done(effect, str(newer["id"]), newer)
    return _done(effect, ident, {"state": "pending"})


async def _newer(effect: Effect, hands: Hands, failed: str) -> Json | None:
    """A job with the once-key that came after the failed one."""
    project = effect.params["container"].get("project")
    try:
        jobs = await hands.site.find_jobs_by_tag(effect.once_key, project=project, fresh=bool(effect.unclear))
    except (Refused, Permanent) as error:
        if isinstance(error, Refused) and error.status != 403:
            raise
        if effect.unclear:
            raise Permanent(f"whether job {failed} was run again cannot be told ({error}); look for it") from error
        return None
    known = _attempt(next((job for job in jobs if job.get("id") == failed), {}))
    later = [
        job
        for job in jobs
        if job.get("id") != failed and (job.get("previous_job_id") == failed or _attempt(job) > known > 0)
    ]
    return later[-1] if later else None


def _attempt(job: Json) -> int:
    attempt = job.get("attempt")
    return attempt if isinstance(attempt, int) else 0


def _done(effect: Effect, ident: str, job: Json) -> Report:
    before = dict(effect.outcome or {})
    before.pop("failure_reason", None)
    tried = int(before.get("job_attempt") or 1)
    outcome = {"job": ident, "job_state": job.get("state"), "job_attempt": max(_attempt(job), tried + 1)}
    return Report(Outcome.DONE, {**before, **outcome, "relaunched": int(before.get("relaunched") or 0) + 1})
