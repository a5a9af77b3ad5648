"""The client against a small loopback server: logins, renewals, lists that are shared, lookups by name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from flyball.clients.neuroscout.board import Board
from flyball.clients.neuroscout.catalogue import Catalogue
from flyball.clients.neuroscout.client import Login, NeuroscoutClient
from flyball.clients.neuroscout.names import RunChoice, UnknownName
from flyball.model.errors import Gone, Refused, Transient, UnknownOutcome
from unit.clients.neuroscout.test_wire import token_with

RUNS = [
    {"id": 10 + number, "dataset_id": 9, "task": 8, "task_name": "life", "subject": f"s{number % 2}", "number": number}
    for number in range(4)
]
PREDICTORS = [
    {"id": 1, "name": "rmse", "dataset_id": 9, "private": False},
    {"id": 5, "name": "rmse", "dataset_id": 9, "private": False},
    {"id": 9, "name": "rmse", "dataset_id": 9, "private": True},
    {"id": 7, "name": "left, right", "dataset_id": 9, "private": False},
    {"id": 8, "name": "rmse", "dataset_id": 11, "private": False},
]


class Little:
    """A server that knows one dataset; counts what it is asked."""

    right = "the right one"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.logins = 0
        self.life = 604800
        self.expired: set[str] = set()
        self.app = web.Application()
        self.app.router.add_route("*", "/api/{rest:.*}", self.answer)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        path = request.path_qs.removeprefix("/api")
        self.asked.append(f"{request.method} {path}")
        if path == "/auth":
            body = await request.json()
            self.logins += 1
            if body["password"] != self.right:
                return web.json_response({"description": "Invalid credentials", "status_code": 401}, status=401)
            now = int(time.time())
            return web.json_response({"access_token": token_with(iat=now, exp=now + self.life, n=self.logins)})
        token = request.headers.get("Authorization", "")
        if request.path.startswith("/api/user") and (not token.startswith("JWT ") or token in self.expired):
            self.expired.discard(token)
            return web.json_response({"description": "Signature has expired", "status_code": 401}, status=401)
        return self._data(request)

    def _data(self, request: web.Request) -> web.StreamResponse:
        match request.path.removeprefix("/api"):
            case "/user/myanalyses":
                return web.json_response([{"hash_id": "abcde", "status": "DRAFT", "seen": len(self.asked)}])
            case "/datasets":
                return web.json_response([{"id": 9, "name": "Life", "active": True}])
            case "/runs":
                return web.json_response(RUNS)
            case "/predictors":
                names = request.query["name"].split(",")
                return web.json_response([row for row in PREDICTORS if row["name"] in names])
            case "/tasks/8/predictors":
                return web.json_response(PREDICTORS)
            case "/analyses/gone":
                return web.json_response({"message": "Resource not found"}, status=404)
        return web.Response(text="<html><title>Neuroscout</title></html>", content_type="text/html")


@pytest.fixture
async def little() -> AsyncIterator[tuple[Little, str]]:
    """The server, and its address."""
    little = Little()
    async with TestServer(little.app) as server:
        yield little, f"http://{server.host}:{server.port}/api"


def client_of(url: str, password: str = Little.right, **more: Any) -> NeuroscoutClient:
    """A client with an account."""
    return NeuroscoutClient.connect(url, Login("ada@example.org", password), site="scout", **more)


async def test_one_login_serves_many_requests(little: tuple[Little, str]) -> None:
    """Also those that begin at the same time."""
    server, url = little
    client = client_of(url)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(10):
            tasks.create_task(client.own_analyses())
    await client.close()
    assert server.logins == 1


async def test_a_token_is_renewed_before_it_ends_and_once_when_the_server_says_so(little: tuple[Little, str]) -> None:
    """By the times that the token claims; and after a 401 about it, with one repetition."""
    server, url = little
    now = datetime.now(UTC)
    moved = [timedelta(0)]
    client = client_of(url, now=lambda: now + moved[0])
    await client.own_analyses()
    moved[0] = timedelta(days=6, hours=23, minutes=58)
    await client.own_analyses()
    assert server.logins == 1
    client.transport.clock.ahead = timedelta(minutes=2)  # the server's clock is ahead of ours
    await client.own_analyses()
    assert server.logins == 2
    assert client._token is not None
    server.expired.add(f"JWT {client._token.text}")
    assert await client.own_analyses()
    await client.close()
    assert server.logins == 3


async def test_a_password_that_is_refused_is_not_sent_again_and_again(little: tuple[Little, str]) -> None:
    """A clear error at once, for all who ask; the password is in none of them."""
    server, url = little
    client = client_of(url, "hunter2")
    for _ in range(3):
        with pytest.raises(Refused, match="does not accept `email` and `password`") as caught:
            await client.own_analyses()
        assert "hunter2" not in str(caught.value)
        assert caught.value.status == 401
    await client.close()
    assert server.logins == 1


async def test_without_an_account_public_things_can_be_read(little: tuple[Little, str]) -> None:
    """And nothing is sent that would need one."""
    server, url = little
    client = NeuroscoutClient.connect(url, site="scout")
    assert await client.datasets()
    await client.close()
    assert server.logins == 0


async def test_pages_and_absent_things_are_told_apart(little: tuple[Little, str]) -> None:
    """A web page with 200 is no answer, to a creating request an unclear one; 404 is gone."""
    _, url = little
    client = client_of(url)
    client.transport._repetition = type(client.transport._repetition)(())
    with pytest.raises(Gone):
        await client.analysis("gone")
    with pytest.raises(Transient, match="ends in /api"):
        await client.analysis("page")
    with pytest.raises(UnknownOutcome):
        await client.create_analysis({"name": "x", "dataset_id": 9})
    await client.close()


async def test_names_become_numbers_with_few_requests(little: tuple[Little, str]) -> None:
    """Lists are kept, lookups that come together share one; of equal names the newest public one of the dataset."""
    server, url = little
    client = client_of(url)
    catalogue = Catalogue(client)
    place = await catalogue.place("Life", RunChoice(numbers=(1, 2)))
    assert place.run_ids == [11, 12]
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(catalogue.predictors(place, ["rmse"])) for _ in range(20)]
    assert {one.result()["rmse"] for one in found} == {5}
    assert await catalogue.predictors(place, ["left, right", "rmse"]) == {"left, right": 7, "rmse": 5}
    await catalogue.place("Life", RunChoice(subjects=("s1",)))
    await client.close()
    counted = [line for line in server.asked if "/auth" not in line]
    assert len(counted) == 4, counted


@pytest.mark.parametrize(
    ("dataset", "choice", "names", "words"),
    [
        ("Lief", RunChoice(), [], "did you mean `Life`"),
        ("Life", RunChoice(tasks=("lief",)), [], "there is no task 'lief'; did you mean `life`"),
        ("Life", RunChoice(subjects=("s9",)), [], "there is no subject 's9'"),
        ("Life", RunChoice(numbers=(7,)), [], "there is no run number '7'"),
        ("Life", RunChoice(subjects=("s0",), numbers=(1,)), [], "has no run with subject s0, run number 1"),
        ("Life", RunChoice(), ["rsme"], "there is no predictor 'rsme'; did you mean `rmse`"),
    ],
    ids=["dataset", "task", "subject", "number", "both", "predictor"],
)
async def test_what_is_not_there_is_told_with_what_was_meant(
    little: tuple[Little, str], dataset: str, choice: RunChoice, names: list[str], words: str
) -> None:
    """Each kind of name has its error."""
    _, url = little
    client = client_of(url)
    catalogue = Catalogue(client)
    with pytest.raises(UnknownName) as caught:
        await catalogue.predictors(await catalogue.place(dataset, choice), names)
    await client.close()
    assert words in str(caught.value)


async def test_one_list_serves_all_who_wait(little: tuple[Little, str]) -> None:
    """Fifty who ask for a list no older than now share one request; one from before is read anew for a later wish."""
    server, url = little
    client = client_of(url)
    board = Board(client, lambda: datetime.now(UTC))
    begun = datetime.now(UTC)
    async with asyncio.TaskGroup() as tasks:
        found = [tasks.create_task(board.analyses(begun)) for _ in range(50)]
    assert len({one.result().begun for one in found}) == 1
    lists = [line for line in server.asked if "myanalyses" in line]
    assert len(lists) == 1
    later = await board.analyses(datetime.now(UTC))
    assert later.begun > found[0].result().begun
    await client.close()
