"""The hands: a Flywheel client in the shape that effects ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from flyball.clients.flywheel.client import OWN
from flyball.clients.flywheel.dialect import Dialect, JobsAccess, Spelling
from flyball.model.errors import Refused
from flyball.workers.hands import SiteHands

DESTINATION = "64a0000000000000000000aa"


class Client:
    """Answers every call with what it was asked."""

    def __init__(self, **dialect: Any) -> None:
        self.dialect = Dialect(**dialect)
        self.asked: list[tuple[str, Any, dict[str, Any]]] = []
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        async def call(*args: Any, **more: Any) -> Any:
            self.asked.append((name, args, more))
            return name

        return call

    async def iterate(self, level: str, **more: Any) -> AsyncIterator[list[dict[str, Any]]]:
        self.asked.append(("iterate", level, more))
        yield [{"id": "j1"}]
        if self.error is not None:
            raise self.error
        yield [{"id": "j2"}]


async def gear_jobs(client: Any, project: str | None = "p1") -> list[str]:
    """Ids of the jobs that are given."""
    found = await SiteHands(client).gear_jobs("mriqc", project=project, destination=DESTINATION)
    return [job["id"] for job in found]


@pytest.mark.parametrize(
    ("access", "project", "parent"),
    [
        (JobsAccess.SITE, "p1", None),
        (None, "p1", None),
        (JobsAccess.PROJECTS, "p1", ("project", "p1")),
        (JobsAccess.PROJECTS, None, None),
        (JobsAccess.SELF, "p1", OWN),
    ],
)
async def test_jobs_by_the_route_that_is_open(access: JobsAccess | None, project: str | None, parent: Any) -> None:
    """With their config, since it is compared."""
    client = Client(jobs=access)
    assert await gear_jobs(client, project) == ["j1", "j2"]
    ((_, level, more),) = client.asked
    assert (level, more["parent"], more["with_config"]) == ("job", parent, True)


async def test_no_route_to_jobs() -> None:
    """Nothing is asked."""
    client = Client(jobs=JobsAccess.NONE)
    assert await gear_jobs(client) == []
    assert client.asked == []


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        (Spelling.QUOTED, f'gear_info.name="mriqc",destination.id="{DESTINATION}"'),
        (Spelling.BARE, f'gear_info.name="mriqc",destination.id={DESTINATION}'),
        (None, 'gear_info.name="mriqc"'),
    ],
)
async def test_only_those_on_the_destination_where_its_spelling_is_proved(spelling: Any, text: str) -> None:
    """The wrong spelling answers with nothing, which must not be read as none."""
    client = Client(string_ids=spelling)
    await gear_jobs(client)
    assert client.asked[0][2]["filter"].text == text


async def test_a_refusal_tells_nothing() -> None:
    """What was read so far is given; a key that is not accepted at all is another matter."""
    client = Client()
    client.error = Refused("no", status=403)
    assert await gear_jobs(client) == ["j1"]
    client.error = Refused("no", status=401)
    with pytest.raises(Refused):
        await gear_jobs(client)


async def test_everything_else_is_handed_on() -> None:
    """As it is; jobs are looked for within the project, analyses read with the config of their jobs."""
    client: Any = Client()
    hands = SiteHands(client)
    await hands.tags("session", "e1", fresh=True)
    await hands.add_tag("session", "e1", "A")
    await hands.remove_tag("session", "e1", "A")
    await hands.notes("session", "e1", fresh=True)
    await hands.add_note("session", "e1", "x")
    await hands.gear("g", "1")
    await hands.launch_analysis("session", "e1", {})
    await hands.launched("x")
    await hands.add_job({})
    await hands.retry_job("j")
    await hands.analyses_of("session", "e1", fresh=True)
    await hands.find_jobs_by_tag("fb-k", project="p1", fresh=True)
    await hands.find_jobs_by_tag("fb-k", project=None)
    calls = {(name, str(more)) for name, _, more in client.asked}
    assert ("analyses_of", "{'fresh': True, 'with_config': True}") in calls
    assert ("find_jobs_by_tag", "{'within': ('project', 'p1'), 'fresh': True}") in calls
    assert ("find_jobs_by_tag", "{'within': None, 'fresh': False}") in calls
    assert {name for name, _ in calls} >= {"tags", "add_tag", "remove_tag", "notes", "add_note", "gear", "launched"}
