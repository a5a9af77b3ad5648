"""The Neuroscout client: everything the daemon asks of a Neuroscout server, as coroutines over pure wire functions.

It logs in by itself: before the first request that needs it, again before the token runs out, and once more when the
server says that it did. A 401 means that nothing was carried out, so any request may be sent again after it. A password
that was refused is not tried again for a while: a server may lock the account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from flyball.clients.exchange import Does, Request, Response
from flyball.clients.neuroscout.errors import SignedOut, error_of, unusable
from flyball.clients.neuroscout.wire import answers, reads, writes
from flyball.clients.neuroscout.wire.query import portions, searchable
from flyball.clients.neuroscout.wire.token import Token, token_of
from flyball.clients.neuroscout.wire.writes import EventsFile
from flyball.clients.transport import Transport
from flyball.model.errors import Permanent, Refused

Json = dict[str, Any]
T = TypeVar("T")
REJECTED_FOR = 300.0
"""Seconds for which a refused password is not sent again."""

_PREDICTORS_FIXED = len("/predictors?run_id=&name=&active_only=False&newest=False")
_NAMES_AT_ONCE = 1200  # bytes of names on one request line


@dataclass(frozen=True, slots=True)
class Login:
    """An account; the password is no part of any `repr`."""

    email: str
    password: str = field(repr=False)


class NeuroscoutClient:
    """One Neuroscout server.

    Args:
        transport: connections to it.
        login: the account; None: only what is public can be read.
    """

    def __init__(self, transport: Transport, login: Login | None = None) -> None:
        self.transport = transport
        self._login = login
        self._token: Token | None = None
        self._signing_in = asyncio.Lock()
        self._rejected: tuple[float, str] | None = None

    @classmethod
    def connect(
        cls, url: str, login: Login | None = None, *, site: str, user_agent: str = "Flyball", **transport: Any
    ) -> NeuroscoutClient:
        """A client with a transport of its own; further arguments are `Transport`'s. Close it with `close()`."""
        headers = {"Accept": "application/json", "User-Agent": user_agent}
        return cls(Transport(url, headers=headers, site=site, **transport), login)

    @property
    def site(self) -> str:
        """The configured name of the site."""
        return self.transport.site

    @property
    def has_account(self) -> bool:
        """Whether there is an account to sign in with."""
        return self._login is not None

    async def close(self) -> None:
        """Closes the connections."""
        await self.transport.close()

    # --- the account

    async def profile(self) -> Json:
        """The account's profile; the first call that shows whether an account is confirmed."""
        return await self._signed(reads.user(), answers.one)

    async def own_analyses(self, *, fresh: bool = False) -> list[Json]:
        """All own analyses in every status, in short form; `fresh` asks on a connection of its own."""
        return await self._signed(_on(reads.own_analyses(), fresh=fresh), answers.rows)

    async def own_collections(self, *, fresh: bool = False) -> list[Json]:
        """The own predictor collections with status and predictors."""
        return await self._signed(_on(reads.own_collections(), fresh=fresh), answers.rows)

    async def own_predictors(self) -> list[Json]:
        """The own uploaded predictors."""
        return await self._signed(reads.own_predictors(), answers.rows)

    # --- what is public

    async def datasets(self) -> list[Json]:
        """All datasets, inactive ones too."""
        return await self._open(reads.datasets(), answers.rows)

    async def tasks(self, dataset_id: int | None = None) -> list[Json]:
        """The tasks, of one dataset or of all."""
        return await self._open(reads.tasks(dataset_id), answers.rows)

    async def runs(self, dataset_id: int, *, inactive: bool = False) -> list[Json]:
        """All runs of a dataset."""
        return await self._open(reads.runs(dataset_id, inactive=inactive), answers.rows)

    async def predictors(
        self, run_ids: Sequence[int], names: Sequence[str], *, task_ids: Sequence[int] = ()
    ) -> list[Json]:
        """Public predictors of these names that have events in some of the runs; every one of each name.

        Args:
            run_ids: the runs.
            names: exactly as the server has them.
            task_ids: the runs' tasks: through these, names with a comma are found.
        """
        found: dict[Any, Json] = {}
        plain = [name for name in dict.fromkeys(names) if searchable(name)]
        for some in _names(plain):
            spent = _PREDICTORS_FIXED + sum(3 * len(name.encode()) + 1 for name in some)
            for portion in portions(run_ids, spent):
                for row in await self._open(reads.predictors(portion, some), answers.rows):
                    found[row.get("id")] = row
        odd = {name for name in names if not searchable(name)}
        if odd:
            for task_id in task_ids:
                for row in await self.task_predictors(task_id):
                    if row.get("name") in odd:
                        found[row.get("id")] = row
        return list(found.values())

    async def task_predictors(self, task_id: int) -> list[Json]:
        """All public predictors of a task."""
        return await self._open(reads.task_predictors(task_id), answers.rows)

    async def public_analyses(self, *, name: str | None = None, dataset_id: int | None = None) -> list[Json]:
        """Public analyses that passed."""
        return await self._open(reads.public_analyses(name=name, dataset_id=dataset_id), answers.rows)

    async def listing(self, path: str, filters: Mapping[str, str], *, own: bool = False) -> list[Json]:
        """Any list of the server with a person's filters."""
        send = self._signed if own else self._open
        return await send(reads.listing(path, **filters), answers.rows)

    # --- analyses

    async def analysis(self, ident: str) -> Json:
        """One analysis with its whole content. Raises Gone when there is none."""
        return await self._open(reads.analysis(ident), answers.analysis)

    async def create_analysis(self, content: Mapping[str, Any]) -> Json:
        """Make an analysis; what the server answers. Sent once.

        Raises:
            UnknownOutcome: look for it among the own analyses before trying again.
        """
        return await self._signed(writes.create_analysis(content), answers.analysis)

    async def update_analysis(self, ident: str, content: Mapping[str, Any]) -> Json:
        """Change an analysis; the answer shows what was taken, which may be less than what was sent."""
        return await self._signed(writes.update_analysis(ident, content), answers.analysis)

    async def delete_analysis(self, ident: str) -> None:
        """Delete a draft. Raises Gone when there is none (any more)."""
        await self._signed(writes.delete_analysis(ident), answers.json_of)

    async def compile_analysis(self, ident: str, *, build: bool = True) -> tuple[str, str]:
        """Put an analysis into the compile queue; status and traceback right afterwards. Sent once."""
        return await self._signed(writes.compile_analysis(ident, build=build), answers.compiled)

    async def compile_status(self, ident: str) -> tuple[str, str]:
        """Status and traceback of an analysis."""
        return await self._open(reads.compile_status(ident), answers.compiled)

    async def bundle(self, ident: str) -> bytes:
        """The bundle of an analysis that passed: a gzipped tar."""
        return await self._open(reads.bundle(ident), answers.bundle)

    async def ask_report(self, ident: str) -> Json:
        """Ask for an analysis' reports."""
        return await self._open(writes.report(ident), answers.one)

    async def report(self, ident: str) -> Json:
        """The newest report of an analysis. Raises Gone when there is none that is newer than its last change."""
        return await self._open(reads.report(ident), answers.one)

    # --- predictor collections

    async def collection(self, ident: int) -> Json:
        """One predictor collection."""
        return await self._open(reads.collection(ident), answers.collection)

    async def upload_collection(
        self, name: str, dataset_id: int, files: Sequence[EventsFile], descriptions: Mapping[str, str]
    ) -> Json:
        """Upload events files. Sent once; after `UnknownOutcome`, look among the own collections."""
        return await self._signed(writes.upload_collection(name, dataset_id, files, descriptions), answers.collection)

    # --- sending

    async def _open(self, request: Request, decode: Callable[[Response], T]) -> T:
        """A request that needs no account; with one, it is sent as the account's."""
        if self._login is None:
            return self._decoded(request, await self._answer(request), decode)
        return await self._signed(request, decode)

    async def _signed(self, request: Request, decode: Callable[[Response], T]) -> T:
        """A request in the account's name."""
        token = await self._valid_token()
        try:
            response = await self._answer(_signed_with(request, token))
        except SignedOut:
            # Not carried out: the token ran out before its time, or the server forgot its key.
            token = await self._renewed(token)
            response = await self._answer(_signed_with(request, token))
        return self._decoded(request, response, decode)

    async def _answer(self, request: Request) -> Response:
        response = await self.transport.send(request)
        if response.ok:
            return response
        raise error_of(request, response, site=self.site, now=self.transport.now())

    def _decoded(self, request: Request, response: Response, decode: Callable[[Response], T]) -> T:
        try:
            return decode(response)
        except answers.Misshapen as error:
            raise unusable(request, response, str(error), site=self.site) from error

    async def _valid_token(self) -> Token:
        token = self._token
        if token is not None and not token.is_due(self._server_time()):
            return token
        return await self._renewed(token)

    async def _renewed(self, old: Token | None) -> Token:
        """A new token in place of `old`; one login at a time, and those who waited for it use what it gave."""
        async with self._signing_in:
            if self._token is not None and self._token is not old:
                return self._token
            self._token = await self._sign_in()
            return self._token

    async def _sign_in(self) -> Token:
        login = self._login
        if login is None:
            raise Permanent(f"{self.site}: this needs an account; set `email` and `password` of the site")
        now = self.transport.now().timestamp()
        if self._rejected is not None and now < self._rejected[0]:
            raise Refused(self._rejected[1], status=401, site=self.site)
        request = writes.login(login.email, login.password)
        try:
            response = await self._answer(request)
        except Refused as error:
            reason = str(error).removeprefix(f"{self.site}: ")
            message = f"{self.site}: the server does not accept `email` and `password` of the site ({reason})"
            self._rejected = (now + REJECTED_FOR, message)
            raise Refused(message, status=error.status, site=self.site) from error
        self._rejected = None
        return token_of(self._decoded(request, response, answers.token_text))

    def _server_time(self) -> float:
        return (self.transport.now() + self.transport.clock.ahead).timestamp()


def _signed_with(request: Request, token: Token) -> Request:
    headers = (*request.headers, ("Authorization", f"JWT {token.text}"))
    return replace(request, headers=headers, secrets=(*request.secrets, token.text))


def _on(request: Request, *, fresh: bool) -> Request:
    return request.on_fresh_connection() if fresh and request.does is Does.READ else request


def _names(names: Sequence[str]) -> list[list[str]]:
    """The names in portions that leave room for run ids on the request line."""
    found: list[list[str]] = []
    size = _NAMES_AT_ONCE + 1
    for name in names:
        length = 3 * len(name.encode()) + 1
        if size + length > _NAMES_AT_ONCE:
            found.append([])
            size = 0
        found[-1].append(name)
        size += length
    return found
