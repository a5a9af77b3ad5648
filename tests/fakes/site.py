"""A Flywheel site in memory, as far as effects ask for one (`effects.port.Site`), which fails on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from fakes.faults import Faults
from flyball.model.errors import Gone, Permanent, Refused

Json = dict[str, Any]
T = TypeVar("T")


class FakeSite:
    """Tags, notes, gears, analyses and jobs.

    Attributes:
        faults: what goes wrong next; methods are called as in the protocol.
        tags_of: (level, id) → tags on it; a container that is not in it answers 404.
        notes_of: likewise.
        info_of: (level, id) → its info.
        writes: every request that may change something and reached the site, as (method, what).
        reads: every other one, as (method, whether on a fresh connection).
        keeps_info: False: like sites of 2019, which take no `info` with a launch.
        file_tags: False: like sites without an address for the tags of single files.
        lists_jobs: False: no route to jobs is open to the key.
        jobs_by_tag: False: the site does not find jobs by their tags.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._numbers = iter(range(1, 10**9))
        self.faults = Faults()
        self.tags_of: dict[tuple[str, str], list[str]] = {}
        self.notes_of: dict[tuple[str, str], list[Json]] = {}
        self.info_of: dict[tuple[str, str], Json] = {}
        self.gears: list[Json] = []
        self.analyses: list[Json] = []
        self.jobs: dict[str, Json] = {}
        self.writes: list[tuple[str, Any]] = []
        self.reads: list[tuple[str, bool]] = []
        self.keeps_info = True
        self.file_tags = True
        self.lists_jobs = True
        self.jobs_by_tag = True

    # --- what people and gears do

    def add_container(self, level: str, ident: str, *tags: str) -> None:
        """A container, or a file, that carries some tags."""
        self.tags_of[(level, ident)] = list(tags)
        self.notes_of[(level, ident)] = []

    def person_tags(self, level: str, ident: str, tag: str) -> None:
        """A person sets a tag."""
        if tag not in self.tags_of[(level, ident)]:
            self.tags_of[(level, ident)].append(tag)

    def person_untags(self, level: str, ident: str, tag: str) -> None:
        """A person takes a tag away."""
        if tag in self.tags_of[(level, ident)]:
            self.tags_of[(level, ident)].remove(tag)

    def add_gear(
        self,
        name: str,
        version: str = "1.0.0",
        *,
        category: str = "analysis",
        inputs: Mapping[str, Any] | None = None,
        config: Mapping[str, Any] | None = None,
        disabled: bool = False,
    ) -> Json:
        """A gear; `inputs` and `config` as in a manifest."""
        manifest = {"name": name, "version": version, "inputs": dict(inputs or {}), "config": dict(config or {})}
        gear = {"id": self._ident("gear"), "category": category, "gear": manifest}
        if disabled:
            gear["disabled"] = self._now().isoformat()
        self.gears.append(gear)
        return gear

    def run_by_others(
        self, gear: Json, level: str, ident: str, inputs: Mapping[str, Any], *, state: str = "complete", **more: Any
    ) -> Json:
        """A job that somebody else started; its document. `config`, `tags`, `label`, `info`, `records`."""
        body = {
            "gear_id": gear["id"],
            "inputs": dict(inputs),
            "config": more.get("config", {}),
            "tags": more.get("tags", []),
        }
        if gear["category"] == "analysis":
            analysis = self._new_analysis(level, ident, {"label": more.get("label", "by hand"), "job": body})
            analysis["info"] = more.get("info", {})
            analysis["inputs"] = more.get("records", [])
            job = self.jobs[analysis["job"]]
        else:
            job = self.jobs[self._new_job(body, {"type": level, "id": ident})]
        job["state"] = state
        return job

    def end_job(self, ident: str, state: str) -> Json:
        """A job reaches a state."""
        self.jobs[ident] |= {"state": state, "modified": self._now().isoformat()}
        return self.jobs[ident]

    # --- the protocol

    async def tags(self, level: str, ident: str, *, fresh: bool = False) -> list[str]:
        """The tags on one container or file."""
        return self._read("tags", lambda: list(self._container(self.tags_of, level, ident)), fresh=fresh)

    async def add_tag(self, level: str, ident: str, tag: str) -> bool:
        """Add a tag; False when it was there. For files the site does not say."""
        if level == "file" and not self.file_tags:
            raise Permanent("this site has no address for the tags of single files", status=None)

        def commit() -> bool:
            there = self._container(self.tags_of, level, ident)
            if tag in there:
                return level == "file"
            there.append(tag)
            return True

        return bool(self._write("add_tag", (level, ident, tag), commit))

    async def remove_tag(self, level: str, ident: str, tag: str) -> None:
        """Remove a tag; an absent one is no error."""

        def commit() -> None:
            there = self.tags_of.get((level, ident), [])
            if tag in there:
                there.remove(tag)

        self._write("remove_tag", (level, ident, tag), commit)

    async def notes(self, level: str, ident: str, *, fresh: bool = False) -> list[Json]:
        """The notes on one container."""
        return self._read("notes", lambda: list(self._container(self.notes_of, level, ident)), fresh=fresh)

    async def add_note(self, level: str, ident: str, text: str) -> None:
        """Add a note."""
        note = {"_id": self._ident("note"), "text": text}
        self._write("add_note", (level, ident, text), lambda: self._container(self.notes_of, level, ident).append(note))

    async def info(self, level: str, ident: str, *, fresh: bool = False) -> Json:
        self.reads.append(("info", fresh))
        return dict(self.info_of.get((level, ident), {}))

    async def set_info(self, level: str, ident: str, values: Mapping[str, Any]) -> None:
        def commit() -> None:
            self.writes.append(("set_info", dict(values)))
            self.info_of[(level, ident)] = {**self.info_of.get((level, ident), {}), **values}

        self.faults.through("set_info", commit)

    async def gear(self, name: str, version: str | None = None) -> Json:
        """A gear by name. One that is disabled answers as if it were not there only when another one is."""

        def find() -> Json:
            fitting = [
                gear
                for gear in self.gears
                if gear["gear"]["name"] == name and version in (None, gear["gear"]["version"])
            ]
            if not fitting:
                raise Gone(f"gear {name} is not there", status=404)
            return fitting[-1]

        return self._read("gear", find)

    async def launch_analysis(self, level: str, ident: str, body: Mapping[str, Any]) -> str:
        """Create an analysis with a job; its id."""
        made = self._write("launch_analysis", (level, ident, body), lambda: self._new_analysis(level, ident, body))
        return str(made["id"])

    async def launched(self, ident: str) -> tuple[str | None, Json | None]:
        """The analysis and its job."""

        def find() -> tuple[str | None, Json | None]:
            analysis = next(one for one in self.analyses if one["id"] == ident)
            return ident, self.jobs.get(analysis["job"])

        return self._read("launched", find)

    async def add_job(self, body: Mapping[str, Any]) -> str:
        """Start a utility gear; the job's id."""
        return str(self._write("add_job", body, lambda: self._new_job(body, body["destination"])))

    async def retry_job(self, ident: str) -> str:
        """Run a failed job again: a new job with the same tags, in the analysis' place; its id."""

        def commit() -> str:
            old = self.jobs[ident]
            if old.get("retried"):
                raise Permanent(f"Job {ident} has already been retried", status=500)
            if old["state"] != "failed":
                raise Permanent("Can only retry a job that is failed", status=400)
            new = self._ident("job")
            old["retried"] = self._now().isoformat()
            attempt = old["attempt"] + 1
            fresh = {"id": new, "state": "pending", "attempt": attempt, "previous_job_id": ident}
            self.jobs[new] = {name: value for name, value in old.items() if name != "retried"} | fresh
            for analysis in self.analyses:
                if analysis["job"] == ident:
                    analysis["job"] = new
            return new

        return str(self._write("retry_job", ident, commit))

    async def analyses_of(self, level: str, ident: str, *, fresh: bool = False) -> list[Json]:
        """The analyses on a container, with their jobs."""

        def find() -> list[Json]:
            mine = [one for one in self.analyses if one["parent"] == {"type": level, "id": ident}]
            return [{**one, "job": self.jobs.get(one["job"])} for one in mine]

        return self._read("analyses_of", find, fresh=fresh)

    async def find_jobs_by_tag(self, tag: str, *, project: str | None, fresh: bool = False) -> list[Json]:
        """Jobs that carry a tag; newest last."""
        if not self.lists_jobs:
            raise Refused("this API key may not read jobs by any route", status=403)
        if not self.jobs_by_tag:
            raise Permanent("this site does not find jobs by tag, so nothing can be said")
        return self._read(
            "find_jobs_by_tag", lambda: [job for job in self.jobs.values() if tag in job["tags"]], fresh=fresh
        )

    async def gear_jobs(self, gear: str, *, project: str | None, destination: str) -> list[Json]:
        """Jobs of one gear."""
        return self._read("gear_jobs", lambda: [one for one in self.jobs.values() if one["gear_info"]["name"] == gear])

    # --- inside

    def _read(self, method: str, find: Callable[[], T], *, fresh: bool = False) -> T:
        self.reads.append((method, fresh))
        found: T = self.faults.through(method, find)
        return found

    def _write(self, method: str, what: Any, commit: Callable[[], Any]) -> Any:
        def recorded() -> Any:
            self.writes.append((method, what))
            return commit()

        return self.faults.through(method, recorded)

    def _container(self, table: dict[tuple[str, str], list[Any]], level: str, ident: str) -> list[Any]:
        if (level, ident) not in table:
            raise Gone(f"no {level} {ident}", status=404)
        return table[(level, ident)]

    def _new_analysis(self, level: str, ident: str, body: Mapping[str, Any]) -> Json:
        self._container(self.tags_of, level, ident)
        analysis: Json = {
            "id": self._ident("analysis"),
            "label": body["label"],
            "parent": {"type": level, "id": ident},
            "created": self._now().isoformat(),
            "inputs": [],
            "job": None,
        }
        if self.keeps_info:
            analysis["info"] = dict(body.get("info") or {})
        self.analyses.append(analysis)
        self.faults.through("half_a_launch", lambda: None)  # here a site may break off: an analysis without a job
        analysis["job"] = self._new_job(body["job"], {"type": "analysis", "id": analysis["id"]})
        return analysis

    def _new_job(self, body: Mapping[str, Any], destination: Mapping[str, Any]) -> str:
        gear = next(one for one in self.gears if one["id"] == body["gear_id"])
        ident = self._ident("job")
        self.jobs[ident] = {
            "id": ident,
            "state": "pending",
            "attempt": 1,
            "tags": sorted({*body["tags"], gear["gear"]["name"]}),
            "gear_info": {"name": gear["gear"]["name"], "version": gear["gear"]["version"]},
            "destination": dict(destination),
            "inputs": {slot: dict(reference) for slot, reference in body["inputs"].items()},
            "config": {"config": dict(body["config"])},
            "created": self._now().isoformat(),
        }
        return ident

    def _ident(self, kind: str) -> str:
        return f"{kind}{next(self._numbers):04d}"
