"""What is true after a storm: the site against the truth, the jobs by their once-keys, the people's inbox."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chaos.rules import CHECK, FLAKY
from support.receiver import Receiver
from support.truth import Differences, Lab, compare, expected_incomplete

Json = Mapping[str, Any]
KEY = re.compile(r"fb-[a-z2-7]{26}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was lost and what was doubled, a line each; and how much was done."""

    lost: tuple[str, ...]
    doubled: tuple[str, ...]
    done: Mapping[str, int]

    @property
    def sound(self) -> bool:
        """Whether nothing was lost or doubled."""
        return not self.lost and not self.doubled


def judge(lab: Lab, jobs: Iterable[Json], receiver: Receiver) -> Verdict:
    """Hold everything against what it should be.

    Args:
        lab: the site's containers and analyses.
        jobs: all its jobs.
        receiver: where the alerts went.
    """
    found = [compare(lab, notes=True), _jobs(lab, list(jobs)), _messages(lab, receiver)]
    keys = {message.key for message in receiver.messages}
    done = {
        "tags": sum(len(tags) for tags in lab.tags().values()),
        "analyses": sum(len(runs) for runs in lab.launched().values()),
        "utility jobs": sum(1 for job in jobs if _gear(job) in (CHECK, FLAKY) and not job.get("previous_job_id")),
        "retried jobs": sum(1 for job in jobs if _gear(job) == FLAKY and job.get("previous_job_id")),
        "notes": sum(len(texts) for texts in lab.notes().values()),
        "messages": len(keys),
        "messages sent again": len(receiver.messages) - len(keys),
    }
    lost = tuple(line for one in found for line in one.lost)
    return Verdict(lost, tuple(line for one in found for line in one.doubled), done)


def all_jobs(api: Callable[[str], Any]) -> list[Json]:
    """Every job of the site, page by page."""
    found: dict[str, Json] = {}
    after = "0" * 24
    while True:
        said = api(f"/jobs?limit=1000&sort=_id:asc&filter=_id>{after}")
        rows = said["results"] if isinstance(said, dict) else said
        found |= {str(row["_id"]): row for row in rows}
        if len(rows) < 1000:
            return list(found.values())
        after = max(found)


def _jobs(lab: Lab, jobs: list[Json]) -> Differences:
    """Each once-key has started one job, retries of a failed one aside; no failed one was retried twice."""
    lost, doubled = [], []
    begun: dict[str, list[Json]] = {}
    retried: dict[str, list[str]] = {}
    for job in jobs:
        if before := job.get("previous_job_id"):
            retried.setdefault(str(before), []).append(str(job["_id"]))
            continue
        for tag in job.get("tags") or ():
            if KEY.fullmatch(tag):
                begun.setdefault(tag, []).append(job)
    doubled += [f"{_gear(some[0])} with {key}: {len(some)} jobs" for key, some in begun.items() if len(some) > 1]
    doubled += [f"job {before} retried by {later}" for before, later in retried.items() if len(later) > 1]
    for gear in (CHECK, FLAKY):
        on = [str(job["destination"]["id"]) for some in begun.values() for job in some if _gear(job) == gear]
        lost += [f"{gear} on session {ident}" for ident in lab.sessions if ident not in on]
        doubled += [f"{gear} on session {ident}: {on.count(ident)} jobs" for ident in set(on) if on.count(ident) > 1]
    for run in lab.runs:
        if run.once_key is not None and run.gear == "None":
            lost.append(f"the job of analysis {run.id}")
    return Differences(tuple(lost), tuple(doubled))


def _gear(job: Json) -> str:
    return str((job.get("gear_info") or {}).get("name"))


def _messages(lab: Lab, receiver: Receiver) -> Differences:
    """Every lack was told at least once and under one key, and its end as well."""
    lost, doubled = [], []
    opened, resolved = receiver.keys("open"), receiver.keys("resolved")
    lacking = expected_incomplete(lab)
    lost += [f"alert on session {ident}" for ident in lacking - opened.keys()]
    lost += [f"all-clear on session {ident}" for ident in opened.keys() - lacking - resolved.keys()]
    doubled += [f"all-clear on session {ident}, which still lacks something" for ident in resolved.keys() & lacking]
    for said, keys in (*opened.items(), *resolved.items()):
        if len(keys) > 1:
            doubled.append(f"message on session {said}: {sorted(keys)}")
    delivered = {message.key for message in receiver.messages if message.answered}
    wanted = {key for keys in (*opened.values(), *resolved.values()) for key in keys}
    lost += [f"message {key}: never taken" for key in wanted - delivered]
    return Differences(tuple(lost), tuple(doubled))
