"""What is read from a Flywheel site: lists, changes, single objects, jobs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeVar

from flyball.clients.exchange import BodyTooLarge, Request, Response
from flyball.clients.flywheel import filters
from flyball.clients.flywheel.dialect import Dialect
from flyball.clients.flywheel.errors import error_of, unusable
from flyball.clients.flywheel.filters import Filter
from flyball.clients.flywheel.wire import answers, levels, reads
from flyball.clients.transport import Transport
from flyball.model.errors import Gone, Permanent, Refused

T = TypeVar("T")
Row = dict[str, Any]
Parent = tuple[str, str]

PAGE = 1000
_WITH_INFO = frozenset({"project", "subject", "session", "acquisition", "file", "analysis", "collection"})
_STRING_KEYED = frozenset({"group", "user"})
OWN: Parent = ("user", "self")
"""As the parent of a list of jobs: the key's own ones."""


class Reader:
    """The reading half of `FlywheelClient`.

    Rows are the site's JSON with `id` for the identifier (see `wire.answers.node`); jobs are in one shape and without
    their gear's config unless `with_config` is given. Every method may raise the errors of `model.errors`.
    """

    def __init__(self, transport: Transport, dialect: Dialect | None = None) -> None:
        self.transport = transport
        self.dialect = dialect or Dialect()

    @property
    def site(self) -> str:
        """The site's configured name."""
        return self.transport.site

    # --- the site

    async def auth_status(self) -> Row:
        """Whose key this is: `{"user_id", "user_is_admin", "roles", …}`. 401 is `Refused`."""
        return await self._document(reads.auth_status())

    async def current_user(self) -> Row:
        """The key's user: `{"_id", "email", "roles", …}`."""
        return await self._document(reads.current_user())

    async def config(self) -> Row:
        """The site's configuration; `features` among it."""
        return await self._document(reads.config())

    async def version(self) -> Row:
        """The site's version; prefer `flywheel_release` over `release`."""
        return await self._document(reads.version())

    # --- lists

    def effective_limit(self, limit: int = PAGE) -> int:
        """The page size that will really be asked for: no more than the site was seen to accept and to give."""
        return max(1, min(limit, self.dialect.largest_limit, self.dialect.page_size or limit))

    async def page(
        self,
        level: str,
        *,
        filter: Filter | str | None = None,  # noqa: A002 - the API's own word
        sort: str | None = None,
        limit: int = PAGE,
        after_id: str | None = None,
        number: int | None = None,
        include_all_info: bool = True,
        parent: Parent | None = None,
        with_config: bool = False,
        fresh: bool = False,
    ) -> list[Row]:
        """One page of a list: of the site, or of `parent`'s children.

        A text as `filter` goes out as it is; a `Filter` is also held against the rows where the text alone would match
        more. So a page may be shorter than the site's; only `iterate` knows where a list ends.
        """
        rows, _ = await self._page(
            level,
            chosen=filters.raw(filter) if isinstance(filter, str) else filter or Filter(),
            sort=sort,
            limit=limit,
            after_id=after_id,
            number=number,
            all_info=include_all_info,
            parent=parent,
            with_config=with_config,
            fresh=fresh,
        )
        return rows

    async def iterate(
        self,
        level: str,
        *,
        filter: Filter | str | None = None,  # noqa: A002 - the API's own word
        limit: int = PAGE,
        after_id: str | None = None,
        include_all_info: bool = True,
        parent: Parent | None = None,
        with_config: bool = False,
    ) -> AsyncIterator[list[Row]]:
        """Pages to the end, in the order of ids (of page numbers where the site takes no ids).

        A short page ends the list only where the probe saw the site's page size; otherwise the next one is asked for
        until one is empty, since the site may give less than was asked. An answer too large is asked for again in
        halves. A first page whose ids are in no order (live19) is asked for again by id, so that none is skipped.

        Raises:
            Permanent: the site answers the same page again instead of the next one.
        """
        chosen = filters.raw(filter) if isinstance(filter, str) else filter or Filter()
        by_id = self.dialect.pages_by_id(level) and parent != OWN
        last, number, seen = after_id, 1, set[str]()
        if by_id and last is None and self.dialect.after_id.get(level) and level not in _STRING_KEYED:
            last = levels.FIRST_ID
        while True:
            try:
                rows, ids = await self._page(
                    level,
                    chosen=chosen,
                    limit=limit,
                    after_id=last if by_id else None,
                    number=None if by_id else number,
                    all_info=include_all_info,
                    parent=parent,
                    with_config=with_config,
                )
            except BodyTooLarge:
                if limit == 1 or not by_id:
                    raise
                limit = max(1, self.effective_limit(limit) // 2)
                continue
            if ids and seen.issuperset(ids):
                if len(ids) < self.effective_limit(limit):
                    return  # the whole list, from an address that has no pages
                raise Permanent(f"{self.site}: the list of {level}s answers the same page again", site=self.site)
            if by_id and last is None and ids != sorted(ids) and level not in _STRING_KEYED:
                last = levels.FIRST_ID
                continue
            yield rows
            if not ids or (self.dialect.page_size is not None and len(ids) < self.effective_limit(limit)):
                return
            seen = set(ids)
            last, number = max(ids) if by_id else ids[-1], number + 1

    async def changes(
        self,
        level: str,
        since: datetime,
        *,
        limit: int = PAGE,
        field: str = "modified",
        parent: Parent | None = None,
        where: Filter | None = None,
        include_all_info: bool = True,
        with_config: bool = False,
    ) -> list[Row]:
        """What changed at or after `since`, oldest change first, in one request.

        As many rows as `effective_limit(limit)` mean that there may be more: ask again from the last row's time.
        For jobs outside `JobsAccess.SITE` pass `parent=("project", id)` or `OWN`.
        """
        chosen = filters.where(filters.since(field, since, self.dialect)) & (where or Filter())
        rows, _ = await self._page(
            level,
            chosen=chosen,
            sort=f"{field}:asc",
            limit=limit,
            all_info=include_all_info,
            parent=parent,
            with_config=with_config,
        )
        return rows

    # --- single objects

    async def get(self, level: str, id_: str, *, fresh: bool = False, with_config: bool = False) -> Row:
        """One object in full, with `info`, tags, analyses. 404 is `Gone`.

        A file may be named by its `file_id`, or by `<container id>/<name>` as sites without file ids have it.
        """
        if level == "job":
            return await self.job(id_, fresh=fresh, with_config=with_config)
        if level == "file" and "/" in id_:
            return await self._file_on_container(id_, fresh=fresh)
        row = await self._document(self._fresh(reads.single(level, id_), fresh=fresh))
        return answers.node(level, row, with_config=with_config)

    async def get_container(self, id_: str) -> Row:
        """One container whose level is not known; `container_type` names it."""
        return answers.node("container", await self._document(reads.single("container", id_)))

    async def lookup(self, *parts: str) -> Row:
        """One node by its path of labels: group, project, subject, session, acquisition, then `files` and a name.

        `("gears", name[, version])` finds gears. No match is `Gone`. `info` may be missing: read it again by id.
        """
        return answers.node("container", await self._document(reads.lookup(parts)))

    async def tags(self, level: str, id_: str, *, fresh: bool = False) -> list[str]:
        """The tags of one container, analysis or file, read singly: lists may hide them."""
        if level == "file" and "/" not in id_:
            return await self._decoded(self._fresh(reads.tags_of_file(id_), fresh=fresh), answers.texts)
        if level == "file":
            row = await self._file_on_container(id_, fresh=fresh)
        else:
            row = await self._document(self._fresh(reads.single(level, id_, slim=True), fresh=fresh))
        found = row.get("tags")
        return [tag for tag in found if isinstance(tag, str)] if isinstance(found, list) else []

    async def notes(self, level: str, id_: str, *, fresh: bool = False) -> list[Row]:
        """The notes of one container or analysis: `[{"_id", "text", "user", …}]`."""
        row = await self._document(self._fresh(reads.single(level, id_, slim=True), fresh=fresh))
        found = row.get("notes")
        return [note for note in found if isinstance(note, dict)] if isinstance(found, list) else []

    async def job(self, id_: str, *, fresh: bool = False, with_config: bool = False) -> Row:
        """One job. Where the plain address is for administrators only, its `/detail` (live19)."""
        try:
            row = await self._document(self._fresh(reads.single("job", id_), fresh=fresh))
        except Refused as error:
            if error.status != 403:
                raise
            row = await self._document(self._fresh(reads.job_detail(id_), fresh=fresh))
        return answers.job(row, with_config=with_config)

    # --- exchange

    async def _page(
        self,
        level: str,
        *,
        chosen: Filter,
        limit: int,
        all_info: bool,
        sort: str | None = None,
        after_id: str | None = None,
        number: int | None = None,
        parent: Parent | None = None,
        with_config: bool = False,
        fresh: bool = False,
    ) -> tuple[list[Row], list[str]]:
        """The rows that meet the filter, and the ids of all rows the site gave."""
        request = reads.rows(
            level,
            parent=parent,
            filter=chosen.text,
            sort=sort,
            limit=self.effective_limit(limit),
            after_id=after_id,
            page=number,
            all_info=all_info and level in _WITH_INFO and self.dialect.info_in_lists is not False,
        )
        rows = await self._decoded(self._fresh(request, fresh=fresh), answers.listed)
        nodes = [answers.node(level, row, with_config=with_config) for row in rows]
        return filters.kept(nodes, chosen), [str(row["id"]) for row in nodes]

    async def _file_on_container(self, id_: str, *, fresh: bool) -> Row:
        container, _, name = id_.partition("/")
        row = await self._document(self._fresh(reads.single("container", container), fresh=fresh))
        for entry in answers.node("container", row).get("files") or ():
            if isinstance(entry, dict) and entry.get("name") == name:
                return entry
        raise Gone(f"{self.site}: no file {name} on container {container}", status=404, site=self.site)

    async def _document(self, request: Request) -> Row:
        return await self._decoded(request, answers.document)

    async def _decoded(self, request: Request, decode: Callable[[bytes], T]) -> T:
        response = await self._call(request)
        try:
            return decode(response.body)
        except answers.Misshapen as error:
            raise unusable(request, response, str(error), site=self.site) from error

    async def _call(self, request: Request) -> Response:
        """Sends; any answer outside 2xx is an error."""
        response = await self.transport.send(request)
        if not response.ok:
            raise error_of(request, response, site=self.site, now=self.transport.site_now())
        return response

    @staticmethod
    def _fresh(request: Request, *, fresh: bool) -> Request:
        return request.on_fresh_connection() if fresh else request
