"""A Flywheel client in the shape that effects ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from flyball.clients.flywheel.client import OWN, FlywheelClient
from flyball.clients.flywheel.dialect import JobsAccess
from flyball.clients.flywheel.filters import equals, identified, where
from flyball.effects.port import Site
from flyball.model.errors import Permanent, Refused

Json = Mapping[str, Any]


class SiteHands:
    """`effects.port.Site` over a `FlywheelClient`."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client

    async def tags(self, level: str, ident: str, *, fresh: bool = False) -> list[str]:
        """The tags on one container or file."""
        return await self._client.tags(level, ident, fresh=fresh)

    async def add_tag(self, level: str, ident: str, tag: str) -> bool:
        """Add a tag; False when it was there."""
        return await self._client.add_tag(level, ident, tag)

    async def remove_tag(self, level: str, ident: str, tag: str) -> None:
        """Remove a tag; an absent one is no error."""
        await self._client.remove_tag(level, ident, tag)

    async def notes(self, level: str, ident: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """The notes on one container."""
        return await self._client.notes(level, ident, fresh=fresh)

    async def add_note(self, level: str, ident: str, text: str) -> None:
        """Add a note."""
        await self._client.add_note(level, ident, text)

    async def info(self, level: str, ident: str, *, fresh: bool = False) -> dict[str, Any]:
        """The info of one container or file."""
        found = (await self._client.get(level, ident, fresh=fresh)).get("info")
        return found if isinstance(found, dict) else {}

    async def set_info(self, level: str, ident: str, values: Json) -> None:
        """Set top-level keys of info. A file of a site without file ids is named by its container."""
        if level == "file" and "/" in ident:
            container, _, name = ident.partition("/")
            await self._client.set_info("container", container, values, file_name=name)
        else:
            await self._client.set_info(level, ident, values)

    async def gear(self, name: str, version: str | None = None) -> dict[str, Any]:
        """A gear by name."""
        return await self._client.gear(name, version)

    async def launch_analysis(self, level: str, ident: str, body: Json) -> str:
        """Create an analysis with a job."""
        return await self._client.launch_analysis(level, ident, body)

    async def launched(self, ident: str) -> tuple[str | None, dict[str, Any] | None]:
        """The analysis and the job behind the id that a launch answered."""
        return await self._client.launched(ident)

    async def add_job(self, body: Json) -> str:
        """Run a utility gear."""
        return await self._client.add_job(body)

    async def retry_job(self, ident: str) -> str:
        """Run a failed job again."""
        return await self._client.retry_job(ident)

    async def analyses_of(self, level: str, ident: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """The analyses on a container, with their jobs and these with their config (it is compared, not kept)."""
        return await self._client.analyses_of(level, ident, fresh=fresh, with_config=True)

    async def find_jobs_by_tag(self, tag: str, *, project: str | None, fresh: bool = False) -> list[dict[str, Any]]:
        """Jobs that carry a tag, by the route that this key may use."""
        within = None if project is None else ("project", project)
        return await self._client.find_jobs_by_tag(tag, within=within, fresh=fresh)

    async def gear_jobs(self, gear: str, *, project: str | None, destination: str) -> list[dict[str, Any]]:
        """Jobs of one gear, as far as this key may list them, with config.

        Only those on the destination are asked for where the probe saw how this site writes its id; else all are
        given, for the caller to choose from.
        """
        dialect = self._client.dialect
        chosen = where(equals("gear_info.name", gear))
        if dialect.string_ids is not None:
            chosen = where(equals("gear_info.name", gear), identified("destination.id", destination, dialect))
        parent = None
        if dialect.jobs is JobsAccess.PROJECTS and project is not None:
            parent = ("project", project)
        elif dialect.jobs is JobsAccess.SELF:
            parent = OWN
        elif dialect.jobs is JobsAccess.NONE:
            return []
        found: list[dict[str, Any]] = []
        try:
            async for rows in self._client.iterate("job", filter=chosen, parent=parent, with_config=True):
                found.extend(rows)
        except Refused as error:
            if error.status != 403:
                raise
        return found


class NoSite:
    """In place of a site, for effects that need none: whatever is asked of it is refused for good."""

    def __getattr__(self, name: str) -> Any:
        raise Permanent(f"this rule has no Flywheel site, and its effect asks for one ({name})")


NO_SITE = cast("Site", NoSite())
