"""The life of a job over time: pending, scheduled, running, and an end.

Heartbeats move `modified` of a running job; each change of state sets `modified` and
`transitions`. The orphan sweep is the exception: it sets only `state` and starts the work anew as
another job (live19).
"""

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any

from flyball.sandbox.dice import Dice
from flyball.sandbox.errors import Refusal, invalid
from flyball.sandbox.maps import refuse_unknown
from flyball.sandbox.outputs import produce
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

FINAL = frozenset({"complete", "failed", "cancelled"})
PRIORITIES = ("low", "medium", "high", "critical")
REASONS = ("Out of memory", "Exit code 1", "License file is invalid", "Input is not a valid NIfTI file")


@dataclass(frozen=True, slots=True)
class Pace:
    """How jobs go on; all times in seconds, pairs are the bounds of a uniform choice."""

    pending_s: tuple[float, float] = (0.5, 1.5)
    running_s: tuple[float, float] = (2.0, 6.0)
    heartbeat_s: float = 2.0
    fail_rate: float = 0.1
    orphan_rate: float = 0.0
    orphan_after_s: float = 300.0
    auto_retries: int = 0
    compute: bool = True
    gears: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def read(cls, values: dict[str, Any]) -> "Pace":
        """Read the scenario's `jobs` map.

        Raises:
            ValueError: an unknown key.
        """
        refuse_unknown(values, {f.name for f in fields(cls)}, "job settings")
        pairs = {k: tuple(v) for k, v in values.items() if k in {"pending_s", "running_s"}}
        return cls(**{**values, **pairs})

    def for_gear(self, name: str) -> "Pace":
        """The pace of one gear."""
        own = self.gears.get(name)
        return self if not own else Pace.read({**{f.name: getattr(self, f.name) for f in fields(self)}, **own})


def enqueue(site: Site, job: Doc) -> Doc:
    """Store a pending job and plan its life."""
    site.jobs.add(job)
    site.logs[job["_id"]] = []
    pace = pace_of(site).for_gear(job["gear_info"]["name"])
    site.plan(site.now + timedelta(seconds=_dice(site, job, "wait").uniform(*pace.pending_s)), _starter(job["_id"]))
    return job


def pace_of(site: Site) -> Pace:
    """The site's pace of jobs."""
    pace = site.options.get("pace")
    return pace if isinstance(pace, Pace) else Pace()


def _dice(site: Site, job: Doc, about: str) -> Dice:
    """Chance that depends on what is run where, and not on the order of requests."""
    parents = job["parents"]
    place = parents.get("acquisition") or parents.get("session") or parents.get("subject") or parents.get("project")
    return Dice.of(site.seed, about, job["gear_info"]["name"], place, job["attempt"])


def set_state(site: Site, job: Doc, state: str) -> None:
    """A change of state as the API makes it."""
    job["state"] = state
    job["transitions"] = {**job["transitions"], state: site.now}
    site.jobs.moved(job, site.now)


def _starter(job_id: str) -> Any:
    def act(site: Site) -> None:
        job = site.jobs.rows.get(job_id)
        if job is None or job["state"] not in {"pending", "scheduled"}:
            return
        if site.speech.scheduled_state and job["state"] == "pending":
            set_state(site, job, "scheduled")
            site.plan(site.now + timedelta(milliseconds=200), act)
            return
        _start(site, job)

    return act


def _start(site: Site, job: Doc) -> None:
    pace = pace_of(site).for_gear(job["gear_info"]["name"])
    set_state(site, job, "running")
    site.logs[job["_id"]].append({"fd": 1, "msg": f"Gear {job['gear_info']['name']} starting...\n"})
    dice = _dice(site, job, "run")
    end = site.now + timedelta(seconds=dice.uniform(*pace.running_s))
    job_id = job["_id"]
    planned = site.options.get("outcomes", {}).get(job_id)
    if planned == "running":
        _beat(site, job_id, 3600.0)
        return
    if planned is None and dice.random() < pace.orphan_rate:
        site.plan(end + timedelta(seconds=pace.orphan_after_s), lambda s: _if_running(s, job_id, orphan))
        return
    fails = planned == "failed" or (planned is None and dice.random() < pace.fail_rate)
    site.plan(end, lambda s: _if_running(s, job_id, fail if fails else complete))
    _beat(site, job_id, pace.heartbeat_s)


def _beat(site: Site, job_id: str, every: float) -> None:
    def act(later: Site) -> None:
        job = later.jobs.rows.get(job_id)
        if job is not None and job["state"] == "running":
            later.jobs.moved(job, later.now)
            _beat(later, job_id, every)

    site.plan(site.now + timedelta(seconds=every), act)


def _if_running(site: Site, job_id: str, act: Any) -> None:
    job = site.jobs.rows.get(job_id)
    if job is not None and job["state"] == "running":
        act(site, job)


def complete(site: Site, job: Doc) -> None:
    """End a job well: its outputs appear."""
    job["saved_files"] = [file["name"] for file in produce(site, job)]
    _profile(site, job)
    site.logs[job["_id"]].append({"fd": 1, "msg": "Uploading results...\nDone.\n"})
    set_state(site, job, "complete")


def fail(site: Site, job: Doc, reason: str | None = None) -> None:
    """End a job badly, and retry it where the site does so by itself."""
    job["failure_reason"] = reason or _dice(site, job, "reason").choice(REASONS)
    _profile(site, job)
    site.logs[job["_id"]].append({"fd": 2, "msg": f"{job['failure_reason']}\n"})
    set_state(site, job, "failed")
    if job["attempt"] <= pace_of(site).auto_retries:
        respawn(site, job)


def orphan(site: Site, job: Doc) -> None:
    """The sweep finds a silent job: only `state` changes, and the work starts anew (live19)."""
    job["state"] = "failed"
    respawn(site, job)


def _profile(site: Site, job: Doc) -> None:
    started = job["transitions"].get("running", job["created"])
    elapsed = int((site.now - started) / timedelta(milliseconds=1))
    total = int((site.now - job["created"]) / timedelta(milliseconds=1))
    job["profile"] = {**job["profile"], "elapsed_time_ms": elapsed, "total_time_ms": total}


def respawn(site: Site, job: Doc) -> Doc:
    """A new job for the same work: same tags, `attempt` counted up, the analysis points to it."""
    old_id = str(job["_id"])
    new: Doc = {
        **{k: v for k, v in job.items() if k not in {"retried", "failure_reason"}},
        "_id": site.ids.oid(site.now),
        "state": "pending",
        "attempt": job["attempt"] + 1,
        "previous_job_id": old_id,
        "original_job_id": job.get("original_job_id") or old_id,
        "created": site.now,
        "modified": site.now,
        "transitions": {"pending": site.now} if site.speech.scheduled_state else {},
        "saved_files": [],
        "profile": {k: v for k, v in job["profile"].items() if k.startswith("total_input")},
        "revision": 1,
    }
    job["retried"] = site.now
    enqueue(site, new)
    if job["destination"]["type"] == "analysis":
        analysis = site.analyses.rows.get(job["destination"]["id"])
        if analysis is not None:
            # A retried job's id is stored as text, the first one's as an object id (live19).
            analysis["job"] = str(new["_id"])
            site.analyses.moved(analysis, site.now)
    return new


def retry(site: Site, job: Doc, *, ignore_state: bool = False) -> Doc:
    """A person's retry.

    Raises:
        Refusal: 400 for a job that did not fail, 500 for one retried before (live19).
    """
    if job.get("retried"):
        newer = next((j["_id"] for j in site.jobs.rows.values() if j.get("previous_job_id") == job["_id"]), None)
        raise Refusal(500, f"Job {job['_id']} has already been retried as {newer}")
    if job["state"] not in FINAL:
        raise invalid(400, "Can not retry running or pending job")
    if job["state"] != "failed" and not ignore_state:
        raise invalid(400, "Can only retry a job that is failed, please use only_failed parameter")
    return respawn(site, job)


def cancel(site: Site, job: Doc) -> None:
    """Cancel a job that has not ended.

    Raises:
        Refusal: 400 when it has (live19).
    """
    if job["state"] in FINAL:
        raise invalid(400, f"Cannot mutate a job that is {job['state']}.")
    set_state(site, job, "cancelled")
