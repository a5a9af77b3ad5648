"""Files of a Flywheel site: records, downloads, zip members, uploads."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, Final, Protocol

from flyball.clients.exchange import Receiver, Request, Response, Slice
from flyball.clients.flywheel.calling import call, decoded
from flyball.clients.flywheel.client import FlywheelClient
from flyball.clients.flywheel.errors import error_of
from flyball.clients.flywheel.wire import answers, content
from flyball.model.errors import Gone, Permanent, Transient

TRIES: Final = 5
"""Times that a download goes on at once where it broke off, as long as something more came each time."""

_NOTHING_LEFT: Final = 416
Json = Mapping[str, Any]


class Sink(Protocol):
    """Takes the bytes of a file."""

    @property
    def size(self) -> int:
        """Bytes that it has."""
        ...

    async def restart(self) -> None:
        """Forget them."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        ...


class Source(Protocol):
    """A file on a site (`effects.lending.Source`)."""

    @property
    def level(self) -> str:
        """Level of the container that it hangs on."""
        ...

    @property
    def ident(self) -> str:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """The file's name."""
        ...

    @property
    def version(self) -> int | None:
        """Which version; None: the newest."""
        ...

    @property
    def member(self) -> str | None:
        """A member of a zip file; None: the file itself."""
        ...


class Local(Protocol):
    """A file of ours (`effects.lending.Local`)."""

    @property
    def path(self) -> str:
        """Where it is."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...


class Contents:
    """Reads and writes files (`effects.lending.Contents`)."""

    def __init__(self, client: FlywheelClient) -> None:
        self._client = client
        self._signed: bool | None = None
        self.trusts_hashes = True

    async def record(self, level: str, ident: str, name: str, *, fresh: bool = False) -> dict[str, Any] | None:
        """The record of a container's file, read singly, with info and tags; None when there is none."""
        row = await self._client.get(level, ident, fresh=fresh)
        files = row.get("files")
        for entry in files if isinstance(files, list) else ():
            if isinstance(entry, dict) and entry.get("name") == name and not entry.get("deleted"):
                return entry
        return None

    async def outputs(self, analysis: str) -> list[dict[str, Any]]:
        """The records of an analysis' output files."""
        files = (await self._client.get("analysis", analysis)).get("files")
        return [one for one in files if isinstance(one, dict)] if isinstance(files, list) else []

    async def download(self, source: Source, sink: Sink, *, most: int | None = None) -> None:
        """Stream a file into `sink`, going on where it ends if the site can, else from its beginning."""
        for attempt in range(TRIES):
            before = sink.size
            try:
                await self._download(source, sink, most)
            except Transient as error:
                anew = error.status == _NOTHING_LEFT and before > 0
                if attempt + 1 == TRIES or (sink.size <= before and not anew):
                    raise
            else:
                return

    async def _download(self, source: Source, sink: Sink, most: int | None) -> None:
        begin = sink.size if source.member is None else 0
        request = content.file_content(
            source.level, source.ident, source.name, version=source.version, member=source.member, begin=begin
        )
        receiver = _Resuming(sink, begin, most, f"{self._client.site}: {source.name}")
        response = await self._client.transport.fetch(request, receiver)
        if (
            response.status == _NOTHING_LEFT and begin
        ):  # nothing is left, or the file is another one: from the beginning
            await sink.restart()
            raise Transient(f"{self._client.site}: {source.name} cannot be gone on with", status=_NOTHING_LEFT)
        self._check(request, response)

    async def zip_members(self, source: Source) -> list[dict[str, Any]]:
        """What a zip file holds."""
        request = content.zip_info(source.level, source.ident, source.name, version=source.version)
        return await decoded(self._client.transport, request, content.zip_members)

    async def upload(self, level: str, ident: str, name: str, local: Local, metadata: Json) -> None:
        """Put a file on a container; by signed addresses where the site has them, else as form data. Sent once."""
        if await self._signs() and await self._upload_signed(level, ident, name, local, metadata):
            return
        mark = f"flyball-{secrets.token_hex(16)}"
        whole = Slice(local.path, 0, local.size)
        await call(self._client.transport, content.upload_form(level, ident, name, whole, metadata, mark))

    async def restore(self, level: str, ident: str, record: Json, lost: Json) -> None:
        """Give a file back what it lost."""
        name, transport = str(record["name"]), self._client.transport
        kind = {key: lost[key] for key in ("type", "modality") if lost.get(key)}
        if kind:
            await call(transport, content.modify_file(level, ident, name, kind))
        if lost.get("classification"):
            modality = lost.get("modality") or record.get("modality")
            await call(transport, content.replace_classification(level, ident, name, lost["classification"], modality))
        if lost.get("info"):
            await self._client.set_info(level, ident, lost["info"], file_name=name)
        for tag in lost.get("tags") or ():
            await self._client.add_tag("file", str(record["id"]), tag)

    async def _signs(self) -> bool:
        """Whether the site hands out signed addresses; asked once."""
        if self._signed is None:
            try:
                config = await self._client.config()
            except Gone:
                config = {}
            features = config.get("features")
            features = features if isinstance(features, dict) else {}
            self._signed = bool(config.get("signed_url") or features.get("signed_url"))
        return self._signed

    async def _upload_signed(self, level: str, ident: str, name: str, local: Local, metadata: Json) -> bool:
        """Ask for a ticket, put the parts, and only then make the file of them. False: the site gives no tickets."""
        transport = self._client.transport
        asked = content.ask_ticket(level, ident, name, local.size, metadata, keep=True)
        response = await call(transport, asked)
        try:
            ticket, urls, headers = content.ticket_of(response.body, name)
        except answers.Misshapen:
            self._signed = False
            return False
        tags = [
            await self._put(url, headers, local, begin, length)
            for url, (begin, length) in zip(urls, content.parts_of(local.size, len(urls)), strict=True)
            if length or not begin
        ]
        number = content.upload_id(urls[0])
        parts = (tags, number) if number is not None else None
        await call(transport, content.use_ticket(level, ident, ticket, keep=True, parts=parts))
        return True

    async def _put(self, url: str, headers: Json, local: Local, begin: int, length: int) -> str:
        given = content.part_headers(url, headers, begin, length, local.size)
        response = await self._client.transport.put_elsewhere(url, given, (Slice(local.path, begin, length),))
        if not response.ok and response.status != 308:  # Google answers 308 between parts
            raise Transient(f"{self._client.site}: its storage answered {response.status} to an upload", status=503)
        return response.headers.get("etag", response.headers.get("ETag", "")).strip('"')

    def _check(self, request: Request, response: Response) -> None:
        if not response.ok:
            raise error_of(request, response, site=self._client.site, now=self._client.transport.now())


class _Resuming(Receiver):
    """Hands a download to a sink: from where it ends, if the answer begins there, else from the beginning."""

    def __init__(self, sink: Sink, begin: int, most: int | None, what: str) -> None:
        self._sink = sink
        self._begin = begin
        self._most = most
        self._what = what

    async def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Whether the answer goes on at `begin`, or is the whole."""
        span = headers.get("Content-Range") or headers.get("content-range") or ""
        if self._begin and not (status == 206 and span.startswith(f"bytes {self._begin}-")):
            if status == 206:
                raise Gone(f"{self._what}: the site gave another part than was asked for")
            await self._sink.restart()
        elif not self._begin and self._sink.size:
            await self._sink.restart()

    async def write(self, piece: bytes) -> None:
        """Some more bytes."""
        if self._most is not None and self._sink.size + len(piece) > self._most:
            raise Permanent(f"{self._what} has more than the {self._most} bytes that it should have")
        await self._sink.write(piece)
