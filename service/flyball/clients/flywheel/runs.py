"""What is read of gears, analyses and jobs: manifests, runs on a container, runs that carry a tag."""

from __future__ import annotations

from typing import Any

from flyball.clients.exchange import Request
from flyball.clients.flywheel import filters
from flyball.clients.flywheel.dialect import JobsAccess
from flyball.clients.flywheel.filters import Filter
from flyball.clients.flywheel.reading import OWN, Parent, Reader, Row
from flyball.clients.flywheel.wire import answers, reads
from flyball.model.errors import Gone, Permanent, Refused


class RunReader(Reader):
    """The part of `FlywheelClient` that looks at runs."""

    async def gear(self, name: str, version: str | None = None) -> Row:
        """A gear by name: the newest by `created` that is not disabled, or the named version. None is `Gone`.

        "Newest" is by creation, as the site itself has it, not by version number (live19).
        """
        conditions = [filters.equals("gear.name", name)]
        if version is not None:
            conditions.append(filters.equals("gear.version", version))
        chosen = filters.where(*conditions)
        request = reads.rows("gear", filter=chosen.text, all_versions=version is not None)
        rows = await self._decoded(request, answers.listed)
        fitting = [
            answers.node("gear", row)
            for row in rows
            if _gear(row, "name") == name and (version is None or _gear(row, "version") == version)
        ]
        usable = [row for row in fitting if not row.get("disabled")]
        if not usable:
            what = f"gear {name}" if version is None else f"gear {name} {version}"
            raise Gone(f"{self.site}: {what} is {'disabled' if fitting else 'not there'}", status=404, site=self.site)
        return max(usable, key=lambda row: str(row.get("created") or ""))

    async def gear_by_id(self, id_: str) -> Row:
        """One gear with its manifest under `gear`."""
        return await self.get("gear", id_)

    async def analyses_of(
        self, level: str, id_: str, *, label: str | None = None, fresh: bool = False, with_config: bool = False
    ) -> list[Row]:
        """The analyses on one container, each with its job as an object where it has one, optionally of one label."""
        chosen = filters.where(filters.equals("label", label)) if label is not None else Filter()
        request = reads.rows("analysis", parent=(level, id_), filter=chosen.text, all_info=True, inflate_job=True)
        rows = await self._decoded(self._fresh(request, fresh=fresh), answers.listed)
        found = [answers.node("analysis", row, with_config=with_config) for row in rows]
        found = [row for row in found if label is None or row.get("label") == label]
        for row in found:
            if isinstance(row.get("job"), str):  # a site that does not join jobs in lists
                row["job"] = await self.job(row["job"], with_config=with_config)
        return found

    async def launched(self, id_: str) -> tuple[str | None, Row | None]:
        """The analysis id and the job behind what a launch answered, should that be the job's id instead (SDK docs)."""
        try:
            analysis = await self.get("analysis", id_)
        except Gone:
            job = await self.job(id_)
            destination = job.get("destination") or {}
            return (destination.get("id") if destination.get("type") == "analysis" else None), job
        found = analysis.get("job")
        return id_, found if isinstance(found, dict) else None

    async def find_jobs_by_tag(
        self,
        tag: str,
        *,
        within: Parent | None = None,
        projects: tuple[str, ...] | None = None,
        fresh: bool = False,
        with_config: bool = False,
    ) -> list[Row]:
        """Jobs that carry the tag, retries included, by the route that this key may use; newest last.

        Args:
            tag: matched exactly, and checked again on the rows.
            within: the session or project that the job belongs to, which narrows the routes of ordinary users.
            projects: for ordinary users without `within`: the projects to look in; None for all the key can list.
            fresh: on a new connection.
            with_config: keep the gear's config.

        Raises:
            Refused: no route to jobs is open to this key, so nothing can be said.
        """
        found: dict[str, Row] = {}
        for request in await self._job_routes(tag, within, projects):
            rows = await self._decoded(self._fresh(request, fresh=fresh), answers.listed)
            for row in rows:
                if tag in (row.get("tags") or ()):
                    job = answers.job(row, with_config=with_config)
                    found[job["id"]] = job
        return sorted(found.values(), key=lambda job: (str(job.get("created") or ""), job["id"]))

    async def _job_routes(self, tag: str, within: Parent | None, projects: tuple[str, ...] | None) -> list[Request]:
        if self.dialect.job_tags is False:
            raise Permanent(f"{self.site}: this site does not find jobs by tag, so nothing can be said", site=self.site)
        text = filters.where(filters.equals("tags", tag)).text
        access = self.dialect.jobs or JobsAccess.SITE
        if access is JobsAccess.SITE:
            return [reads.rows("job", filter=text)]
        if within is not None and within[0] == "session":
            return [reads.session_jobs(within[1], tags=(tag,))]
        if access is JobsAccess.PROJECTS:
            if within is not None and within[0] == "project":
                projects = (within[1],)
            if projects is None:
                projects = tuple(
                    [row["id"] async for rows in self.iterate("project", include_all_info=False) for row in rows]
                )
            return [reads.rows("job", parent=("project", id_), filter=text) for id_ in projects]
        if access is JobsAccess.SELF:
            return [reads.rows("job", parent=OWN, filter=text)]
        raise Refused(f"{self.site}: this API key may not read jobs by any route", status=403, site=self.site)


def _gear(row: Row, name: str) -> Any:
    manifest = row.get("gear")
    return manifest.get(name) if isinstance(manifest, dict) else None
