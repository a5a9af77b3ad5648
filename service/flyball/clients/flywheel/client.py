"""The Flywheel client: everything the daemon asks of a Flywheel site, as coroutines over pure wire functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flyball.clients.exchange import Pace, Request
from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.keys import Credentials
from flyball.clients.flywheel.reading import OWN, PAGE, Parent, Row
from flyball.clients.flywheel.runs import RunReader
from flyball.clients.flywheel.searching import SearchReader
from flyball.clients.flywheel.wire import answers, launch, writes
from flyball.clients.transport import Transport
from flyball.model.errors import Gone, Permanent

__all__ = ["OWN", "PAGE", "FlywheelClient", "Parent", "Row", "headers_for"]

ACCEPT_FEATURES = "Safe-Redirect,multipart_signed_url"


def headers_for(credentials: Credentials, *, user_agent: str = "Flyball") -> dict[str, str]:
    """The headers of every request, as the official SDK sends them, with our own name (SDK 23 wire)."""
    return {
        "Accept": "application/json",
        "Authorization": credentials.authorization(),
        "User-Agent": user_agent,
        "X-Accept-Feature": ACCEPT_FEATURES,
    }


class FlywheelClient(RunReader, SearchReader):
    """One Flywheel site, spoken to in its dialect.

    The dialect may be replaced at any time (`client.dialect = await probe(client)`).
    """

    @classmethod
    def connect(
        cls,
        credentials: Credentials,
        *,
        site: str,
        pace: Pace | None = None,
        dialect: Dialect | None = None,
        user_agent: str = "Flyball",
        **transport: Any,
    ) -> FlywheelClient:
        """A client with a transport of its own; further arguments are `Transport`'s. Close it with `close()`."""
        headers = headers_for(credentials, user_agent=user_agent)
        return cls(Transport(credentials.base_url, headers=headers, site=site, pace=pace, **transport), dialect)

    async def close(self) -> None:
        """Closes the connections."""
        await self.transport.close()

    # --- tags, notes, info

    async def add_tag(self, level: str, id_: str, tag: str) -> bool:
        """Adds a tag; False when the site says that it was there (409). Files: always True, the site does not say.

        Raises:
            UnknownOutcome: read the tags before trying again.
            Permanent: also for a file of a site that has no file ids: it has no address for file tags.
        """
        if level == "file":
            await self._call(writes.add_file_tags(self._file_id(id_), (tag,)))
            return True
        try:
            await self._call(writes.add_tag(level, id_, tag))
        except Permanent as error:
            if error.status == 409:
                return False
            raise
        return True

    async def remove_tag(self, level: str, id_: str, tag: str) -> bool:
        """Takes a tag off; False when the site says that it, or its container, is not there (404)."""
        if level == "file":
            request = writes.remove_file_tags(self._file_id(id_), (tag,))
        else:
            request = writes.remove_tag(level, id_, tag)
        try:
            await self._call(request)
        except Gone:
            return False
        return True

    async def add_note(self, level: str, id_: str, text: str) -> str | None:
        """Adds a note; its id where the site tells it. After `UnknownOutcome`, look into `notes` first."""
        response = await self._call(writes.add_note(level, id_, text))
        try:
            return answers.created_id(response.body)
        except answers.Misshapen:
            return None  # sites of 2019 answer {"modified": 1} (live19)

    async def set_info(
        self,
        level: str,
        id_: str,
        values: Mapping[str, Any] | None = None,
        *,
        delete: tuple[str, ...] = (),
        file_name: str | None = None,
    ) -> None:
        """Sets top-level keys of `info` (each replaced whole), or deletes some, never both at once.

        Args:
            level: a container's level, `analysis`, or `file` with a file id.
            id_: its id.
            values: keys to set.
            delete: keys to delete.
            file_name: a file on that container, by name.
        """
        if bool(values) == bool(delete):
            raise Permanent(f"{self.site}: either set or delete keys of info", site=self.site)
        change = {"set": dict(values)} if values else {"delete": list(delete)}
        if level == "file" and file_name is None:
            await self._call(writes.change_file_info(self._file_id(id_), change))
            return
        method = self.dialect.info_method or "PATCH"
        try:
            await self._call(writes.change_info(level, id_, change, file_name=file_name, method=method))
        except Permanent as error:
            if error.status not in (405, 501) or method == "POST":
                raise
            await self._call(writes.change_info(level, id_, change, file_name=file_name, method="POST"))
            method = "POST"
        if self.dialect.info_method != method:
            self.dialect = replace(self.dialect, info_method=method)

    # --- gears and jobs

    async def launch_analysis(self, level: str, id_: str, body: Mapping[str, Any]) -> str:
        """Starts an analysis gear on a container (body: `wire.launch.analysis_body`); the new analysis' id.

        Sent once. Where the site refuses `info` and `priority` (2019: a schema complaint, nothing done), it is sent
        again without them; the once-key is then in `job.tags` and the label only.

        Raises:
            UnknownOutcome: look for the once-key before trying again.
            Transient: it was turned away (429) or never sent.
        """
        if self.dialect.launch_info is False:
            return await self._created(launch.run_analysis(level, id_, launch.of_2019(body)))
        try:
            created = await self._created(launch.run_analysis(level, id_, body))
        except Permanent as error:
            plain = launch.of_2019(body)
            complaint = any(word in str(error) for word in ("schema", "info", "priority"))
            if self.dialect.launch_info or error.status not in (400, 422) or not complaint or plain == body:
                raise
            created = await self._created(launch.run_analysis(level, id_, plain))
            self.dialect = replace(self.dialect, launch_info=False)
        else:
            if not self.dialect.launch_info:
                self.dialect = replace(self.dialect, launch_info=True)
        return created

    async def add_job(self, body: Mapping[str, Any]) -> str:
        """Starts a utility or converter gear (body: `wire.launch.job_body`); the new job's id. Sent once."""
        return await self._created(launch.add_job(body))

    async def retry_job(self, id_: str) -> str:
        """Runs a failed job again, with its tags; the new job's id. Sent once."""
        return await self._created(launch.retry_job(id_))

    async def cancel_job(self, id_: str) -> None:
        """Cancels a job that has not ended."""
        await self._call(launch.cancel_job(id_))

    async def _created(self, request: Request) -> str:
        return await self._decoded(request, answers.created_id)

    def _file_id(self, id_: str) -> str:
        if "/" in id_:
            raise Permanent(
                f"{self.site}: this site has no address for the tags and info of single files ({id_})", site=self.site
            )
        return id_
