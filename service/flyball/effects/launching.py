"""Carrying out a launch: looked for on the site, checked against the manifest, sent once.

Safe against doubles. The once-key travels with the job (a job tag, and the analysis' label and `info`). An attempt is
stored before the request leaves. After an unclear end (reset, time-out, kill) the site is asked for the key, on a
fresh connection, twice, each time no earlier than the site's `unclear_wait`; only two empty answers allow a resend.
The first attempt asks as well: a run made by a daemon whose ledger was lost, or an equal run by others, counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flyball.clients.flywheel.wire.launch import analysis_body, job_body
from flyball.effects.equal_runs import carries_key, equal_run, is_on
from flyball.effects.manifest import launch_config, manifest_faults
from flyball.effects.port import Hands
from flyball.effects.relaunching import RELAUNCH, relaunch
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Gone, Permanent, Refused, SiteError

Json = Mapping[str, Any]


class Launching:
    """The part of `launch` that talks to the site."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt: look, and if nothing is there, send."""
        if RELAUNCH in effect.params:
            return await relaunch(effect, hands)
        gear, trouble = await self._gear(effect, hands)
        is_analysis = None if gear is None else gear.get("category") == "analysis"
        found = await self._look(effect, hands, is_analysis=is_analysis)
        if found is not None:
            return found
        if effect.wants_another_look:
            message = "the site does not show the once-key yet; it is asked once more before anything is sent"
            return Report(Outcome.UNKNOWN, error=message, looked=True)
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted; the site has no trace of it")
        if gear is None or trouble is not None:
            raise trouble or Permanent(f"gear {effect.params['gear']} cannot be read")
        config = self._checked_config(effect, hands, gear)
        return await self._send(effect, hands, gear, config, is_analysis=bool(is_analysis))

    @staticmethod
    async def _gear(effect: Effect, hands: Hands) -> tuple[dict[str, Any] | None, Gone | None]:
        """The gear. One that went away after an unclear launch does not keep us from looking for the job."""
        params = effect.params
        try:
            return await hands.site.gear(params["gear"], params["version"]), None
        except Gone as error:
            if not effect.unclear:
                raise
            return None, error

    async def _look(self, effect: Effect, hands: Hands, *, is_analysis: bool | None) -> Report | None:
        """Ask the site for the once-key, then for equal runs by others; None when there is neither."""
        params, fresh = effect.params, bool(effect.unclear)
        container = params["container"]
        analyses: list[dict[str, Any]] = []
        jobless: Json | None = None
        if is_analysis is not False:
            analyses = await hands.site.analyses_of(container["level"], container["id"], fresh=fresh)
            for analysis in analyses:
                job = _job_of(analysis)
                if carries_key(analysis, job, effect.once_key):
                    if job:
                        return Report(Outcome.DONE, {"analysis": analysis.get("id"), **_of_job(job), "found": True})
                    jobless = analysis
        if fresh or jobless is not None or not is_analysis:
            found = await self._look_for_jobs(effect, hands, fresh=fresh, must=is_analysis is False)
            if found is not None:
                return found
        if jobless is not None:
            return self._without_job(effect, jobless)
        if params["unless_ran"] and is_analysis is not None:
            return await self._look_for_equal(effect, hands, analyses, is_analysis=is_analysis)
        return None

    @staticmethod
    async def _look_for_jobs(effect: Effect, hands: Hands, *, fresh: bool, must: bool) -> Report | None:
        """Ask for jobs with the once-key. A key that may not list jobs tells nothing; `must`: then an unclear launch
        cannot be cleared up, and is not repeated.
        """
        project = effect.params["container"].get("project")
        try:
            jobs = await hands.site.find_jobs_by_tag(effect.once_key, project=project, fresh=fresh)
        except (Refused, Permanent) as error:
            if isinstance(error, Refused) and error.status != 403:
                raise
            if must and effect.unclear:
                message = f"whether the job was started cannot be told ({error})"
                remedy = f"look for a job with tag {effect.once_key}; if there is none, `retry` starts it"
                raise Permanent(f"{message}; {remedy}") from error
            return None
        if not jobs:
            return None
        job = jobs[-1]  # retries carry the same tags; the newest stands for all
        destination = job.get("destination")
        found = {}
        if isinstance(destination, Mapping) and destination.get("type") == "analysis":
            found = {"analysis": destination.get("id")}
        return Report(Outcome.DONE, {**found, **_of_job(job), "found": True})

    @staticmethod
    def _without_job(effect: Effect, analysis: Json) -> Report:
        """The site broke off between the analysis and its job (live19: it writes the analysis first)."""
        message = f"analysis {analysis.get('id')} has no job: the site broke off while creating it"
        if effect.wants_another_look:
            return Report(Outcome.UNKNOWN, error=message, looked=True)
        raise Permanent(f"{message}; delete it, then `retry` launches again")

    @staticmethod
    async def _look_for_equal(
        effect: Effect, hands: Hands, analyses: list[dict[str, Any]], *, is_analysis: bool
    ) -> Report | None:
        params = effect.params
        forgotten = frozenset(params.get("forgotten", ()))
        if is_analysis:
            for analysis in analyses:
                job = _job_of(analysis)
                if analysis.get("id") not in forgotten and equal_run(effect, analysis, job):
                    detail = {"analysis": analysis.get("id"), **_of_job(job), "equal_run": True}
                    return Report(Outcome.ALREADY, detail)
            return None
        container = params["container"]
        project, destination = container.get("project"), container["id"]
        for job in await hands.site.gear_jobs(params["gear"], project=project, destination=destination):
            known = job.get("id") in forgotten
            if not known and is_on(job, destination) and equal_run(effect, {}, job):
                return Report(Outcome.ALREADY, {**_of_job(job), "equal_run": True})
        return None

    @staticmethod
    def _checked_config(effect: Effect, hands: Hands, gear: Json) -> dict[str, Any]:
        """The config to send. Faults are found before any secret is read."""
        params = effect.params
        faults = manifest_faults(gear, params["inputs"], params["config"], params["secrets"])
        if faults:
            raise Permanent(f"gear {params['gear']}: " + "; ".join(faults))
        return launch_config(params["config"], params["secrets"], hands.secret)

    async def _send(
        self, effect: Effect, hands: Hands, gear: Json, config: dict[str, Any], *, is_analysis: bool
    ) -> Report:
        params = effect.params
        container = params["container"]
        job = job_body(
            gear_id=gear["id"],
            inputs=params["inputs"],
            config=config,
            tags=list(dict.fromkeys([effect.once_key, *params["tags"]])),
            destination=None if is_analysis else (container["level"], container["id"]),
            priority=params["priority"],
        )
        manifest = gear.get("gear")
        version = manifest.get("version") if isinstance(manifest, Mapping) else None
        if not is_analysis:
            return Report(Outcome.DONE, {"job": await hands.site.add_job(job), "gear_version": version})
        info = {"flyball": {"once_key": effect.once_key, "rule": effect.rule}}
        body = analysis_body(params["label"], job, info)
        created = await hands.site.launch_analysis(container["level"], container["id"], body)
        analysis, started = await self._accepted(created, hands)
        return Report(Outcome.DONE, {"analysis": analysis, **_of_job(started), "gear_version": version})

    @staticmethod
    async def _accepted(created: str, hands: Hands) -> tuple[str | None, Json]:
        """The analysis and its job. The launch is done whatever comes of this question."""
        try:
            analysis, job = await hands.site.launched(created)
        except SiteError:
            return created, {}
        return analysis or created, job or {}


def _job_of(analysis: Json) -> Json:
    job = analysis.get("job")
    return job if isinstance(job, Mapping) else {}


def _of_job(job: Json) -> dict[str, Any]:
    return {"job": job.get("id"), "job_state": job.get("state")} if job else {}
