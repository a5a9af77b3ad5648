"""Carrying out a launch: checked against the manifest, looked for on the site, sent once.

Safe against doubles. The once-key travels with the job (a job tag, and the analysis' label and `info`). An attempt is
stored before the request leaves. After an unclear end (reset, time-out, kill) the site is asked for the key, on a
fresh connection, twice, each time no earlier than the site's `unclear_wait`; only two empty answers allow a resend.
The first attempt asks as well: a run made by a daemon whose ledger was lost, or an equal run by others, counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flyball.effects.manifest import launch_config, manifest_faults
from flyball.effects.port import Hands
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.rules.keys import suffix

ENDED_BADLY = frozenset({"failed", "cancelled"})
LOOKS_NEEDED = 2


class Launching:
    """The part of `launch` that talks to the site."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt: look, and if nothing is there, send."""
        params = effect.params
        gear = await hands.site.gear(params["gear"], params["version"])
        is_analysis = gear.get("category") == "analysis"
        found = await self._look(effect, hands, is_analysis=is_analysis)
        if found is not None:
            return found
        if effect.unclear and effect.looked + 1 < LOOKS_NEEDED:
            message = "the site does not show the once-key yet; it is asked once more before anything is sent"
            return Report(Outcome.UNKNOWN, error=message, looked=True)
        faults = manifest_faults(gear, params["inputs"], params["config"])
        if faults:
            raise Permanent(f"gear {params['gear']}: " + "; ".join(faults))
        config = launch_config(params["config"], params["secrets"], hands.secret)
        return await self._send(effect, hands, gear, config, is_analysis=is_analysis)

    async def _look(self, effect: Effect, hands: Hands, *, is_analysis: bool) -> Report | None:
        """Ask the site for the once-key and for equal runs; None when there is nothing."""
        params = effect.params
        container = params["container"]
        level, id_ = container["level"], container["id"]
        fresh, project = bool(effect.unclear), container.get("project")
        if is_analysis:
            for analysis in await hands.site.analyses_of(level, id_, fresh=fresh):
                report = self._judge_analysis(effect, analysis, hands)
                if report is not None:
                    return report
        if fresh or not is_analysis:
            jobs = await hands.site.find_jobs_by_tag(effect.once_key, project=project, fresh=fresh)
            for job in jobs:
                return Report(Outcome.DONE, {**_of_job(job), "found": True})
        if not is_analysis and params["unless_ran"]:
            for job in await hands.site.gear_jobs(params["gear"], project=project):
                if job.get("id") not in hands.forgotten and equal_run(effect, job, destination=id_):
                    return Report(Outcome.ALREADY, {**_of_job(job), "equal_run": True})
        return None

    def _judge_analysis(self, effect: Effect, analysis: Mapping[str, Any], hands: Hands) -> Report | None:
        job = analysis.get("job")
        job = job if isinstance(job, Mapping) else {}
        outcome = {"analysis": analysis.get("id"), **_of_job(job)}
        if carries_key(analysis, job, effect.once_key):
            if not job:
                message = f"analysis {analysis.get('id')} has no job: the site broke off while creating it; delete it"
                if effect.unclear and effect.looked + 1 < LOOKS_NEEDED:
                    return Report(Outcome.UNKNOWN, error=message, looked=True)
                raise Permanent(message)
            return Report(Outcome.DONE, {**outcome, "found": True})
        if effect.params["unless_ran"] and analysis.get("id") not in hands.forgotten and equal_run(effect, job):
            return Report(Outcome.ALREADY, {**outcome, "equal_run": True})
        return None

    async def _send(
        self, effect: Effect, hands: Hands, gear: Mapping[str, Any], config: dict[str, Any], *, is_analysis: bool
    ) -> Report:
        params = effect.params
        container = params["container"]
        job: dict[str, Any] = {
            "gear_id": gear["id"],
            "inputs": {
                slot: {"type": reference["type"], "id": reference["id"], "name": reference["name"]}
                for slot, reference in params["inputs"].items()
            },
            "config": config,
            "tags": [effect.once_key, *params["tags"]],
        }
        if params["priority"]:
            job["priority"] = params["priority"]
        version = (gear.get("gear") or {}).get("version")
        if not is_analysis:
            job["destination"] = {"type": container["level"], "id": container["id"]}
            return Report(Outcome.DONE, {"job": await hands.site.add_job(job), "gear_version": version})
        info = {"flyball": {"once_key": effect.once_key, "rule": effect.rule}}
        body = {"label": params["label"], "info": info, "job": job}
        analysis = await hands.site.launch_analysis(container["level"], container["id"], body)
        return Report(Outcome.DONE, {"analysis": analysis, "gear_version": version})


def carries_key(analysis: Mapping[str, Any], job: Mapping[str, Any], key: str) -> bool:
    """Whether an analysis or its job bears the once-key: job tag, `info.flyball.once_key`, or the label's end."""
    if key in (job.get("tags") or ()):
        return True
    info = analysis.get("info")
    mark = info.get("flyball") if isinstance(info, Mapping) else None
    if isinstance(mark, Mapping) and "once_key" in mark:
        return bool(mark["once_key"] == key)
    return str(analysis.get("label") or "").endswith(suffix(key))


def equal_run(effect: Effect, job: Mapping[str, Any], *, destination: str | None = None) -> bool:
    """Whether a job did, or is doing, the same: gear (version if pinned), destination, slot → file, and the config
    keys that the rule sets. Failed and cancelled jobs do not count; nor do jobs whose config cannot be seen when the
    rule sets some.
    """
    params = effect.params
    gear = job.get("gear_info")
    gear = gear if isinstance(gear, Mapping) else {}
    if not job or job.get("state") in ENDED_BADLY or gear.get("name") != params["gear"]:
        return False
    if destination is not None and (job.get("destination") or {}).get("id") != destination:
        return False
    if params["version"] and gear.get("version") != params["version"]:
        return False
    wanted = {slot: _identity(reference) for slot, reference in params["inputs"].items()}
    if {slot: _identity(reference) for slot, reference in input_pairs(job)} != wanted:
        return False
    settings = job.get("config")
    settings = settings.get("config", settings) if isinstance(settings, Mapping) else {}
    return all(key in settings and settings[key] == value for key, value in params["config"].items())


def input_pairs(job: Mapping[str, Any]) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """Slot and file reference of a job's inputs, whether it has them as a map or as a list."""
    inputs = job.get("inputs")
    if isinstance(inputs, Mapping):
        for slot, reference in inputs.items():
            if isinstance(reference, Mapping) and reference.get("name"):
                yield slot, reference
    elif isinstance(inputs, list):
        for reference in inputs:
            if isinstance(reference, Mapping) and reference.get("name"):
                yield str(reference.get("input")), reference


def _identity(reference: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    return (reference.get("type"), reference.get("id"), reference.get("name"))


def _of_job(job: Mapping[str, Any]) -> dict[str, Any]:
    if not job:
        return {}
    return {"job": job.get("id"), "job_state": job.get("state")}
