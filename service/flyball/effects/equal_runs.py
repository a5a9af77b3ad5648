"""Whether a run on the site is the one that was asked for: by the once-key that it bears, or by what it did. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from flyball.model.effect import Effect
from flyball.model.times import parse_time
from flyball.rules.keys import PREFIX, suffix

ENDED_BADLY = frozenset({"failed", "cancelled"})
Json = Mapping[str, Any]


def carries_key(analysis: Json, job: Json, key: str) -> bool:
    """Whether an analysis or its job bears the once-key: job tag, `info.flyball.once_key`, or the label's end.

    The label's end is only a part of the key and can be edited: it counts where nothing else tells.
    """
    keys = keys_on(analysis, job)
    return key in keys if keys else str(analysis.get("label") or "").endswith(suffix(key))


def keys_on(analysis: Json, job: Json) -> set[str]:
    """The once-keys that an analysis and its job bear in full."""
    tags = job.get("tags")
    found = (
        {tag for tag in tags if isinstance(tag, str) and tag.startswith(PREFIX)} if isinstance(tags, list) else set()
    )
    mark = _flyball(analysis).get("once_key")
    return found | {mark} if isinstance(mark, str) else found


def equal_run(effect: Effect, analysis: Json, job: Json) -> bool:
    """Whether a run made by others did, or is doing, what a launch asks for.

    Gear (version if pinned), slot → file, and the config keys that the rule sets must agree. Failed and cancelled jobs
    do not count, nor do jobs whose config cannot be seen when the rule sets some, nor runs on an earlier version of a
    file. Another launch of the same rule is no run by others: it differs in something that its once-key holds.

    Args:
        effect: the launch.
        analysis: what holds the job, empty for a job of its own.
        job: with its config.
    """
    params = effect.params
    gear = job.get("gear_info")
    gear = gear if isinstance(gear, Mapping) else {}
    if not job or job.get("state") in ENDED_BADLY or gear.get("name") != params["gear"]:
        return False
    if params["version"] and gear.get("version") != params["version"]:
        return False
    if _of_the_same_rule(effect, analysis, job):
        return False
    return _same_files(params["inputs"], analysis, job) and _same_config(params["config"], job)


def is_on(job: Json, destination: str) -> bool:
    """Whether a job writes to a container."""
    where = job.get("destination")
    return isinstance(where, Mapping) and where.get("id") == destination


def input_pairs(job: Json) -> Iterable[tuple[str, Json]]:
    """Slot and file reference of a job's inputs, whether it has them as a map or as a list."""
    inputs = job.get("inputs")
    if isinstance(inputs, Mapping):
        for slot, reference in inputs.items():
            if isinstance(reference, Mapping) and reference.get("name"):
                yield str(slot), reference
    elif isinstance(inputs, list):
        for reference in inputs:
            if isinstance(reference, Mapping) and reference.get("name"):
                yield str(reference.get("input")), reference


def _of_the_same_rule(effect: Effect, analysis: Json, job: Json) -> bool:
    if _flyball(analysis).get("rule") == effect.rule:
        return True
    return bool(keys_on(analysis, job) & set(effect.params.get("earlier_keys", ())))


def _flyball(analysis: Json) -> Json:
    info = analysis.get("info")
    mark = info.get("flyball") if isinstance(info, Mapping) else None
    return mark if isinstance(mark, Mapping) else {}


def _same_files(wanted: Mapping[str, Json], analysis: Json, job: Json) -> bool:
    used = dict(input_pairs(job))
    if used.keys() != wanted.keys():
        return False
    records = analysis.get("inputs")
    records = [one for one in records if isinstance(one, Mapping)] if isinstance(records, list) else []
    started = parse_time(job.get("created"))
    return all(
        _place(used[slot]) == _place(reference) and _same_version(reference, used[slot], records, started)
        for slot, reference in wanted.items()
    )


def _place(reference: Json) -> tuple[Any, Any, Any]:
    return (reference.get("type"), reference.get("id"), reference.get("name"))


def _same_version(wanted: Json, used: Json, records: list[Json], started: datetime | None) -> bool:
    """By the version that the reference pins, else by the copy of the file's record that an analysis keeps of its
    inputs (live19), else by time: a run from before the file was replaced used another one. Where nothing tells, yes.
    """
    version = wanted.get("version")
    if version is None:
        return True
    if used.get("version") is not None:
        return bool(used["version"] == version)
    told = [
        record[name]
        for record in records
        if record.get("name") == wanted.get("name")
        and record.get("file_id") in (None, wanted.get("file_id"))
        and (name := "version" if isinstance(version, int) else "hash") in record
    ]
    if told:
        return version in told
    replaced = parse_time(wanted.get("replaced"))
    return replaced is None or started is None or started >= replaced


def _same_config(wanted: Json, job: Json) -> bool:
    settings = job.get("config")
    settings = settings.get("config", settings) if isinstance(settings, Mapping) else {}
    if not isinstance(settings, Mapping):
        return not wanted
    return all(
        key in settings and settings[key] == value and isinstance(settings[key], bool) is isinstance(value, bool)
        for key, value in wanted.items()
    )
