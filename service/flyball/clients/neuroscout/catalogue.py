"""What a Neuroscout server has, looked up by name. Answers are kept for a while, so that 200 analyses of one dataset
cost a few requests together; lookups that come together share one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flyball.clients.neuroscout.client import NeuroscoutClient
from flyball.clients.neuroscout.names import (
    Json,
    RunChoice,
    UnknownName,
    dataset_named,
    missing_predictors,
    public_named,
    runs_chosen,
)

KEPT = 900.0
"""Seconds. The server itself keeps such answers for months; only new data changes them."""


@dataclass(frozen=True, slots=True)
class Place:
    """A dataset and some of its runs, found.

    Attributes:
        dataset: the dataset's row.
        runs: rows of the runs, by id.
    """

    dataset: Json
    runs: tuple[Json, ...]

    @property
    def dataset_id(self) -> int:
        """The dataset's number."""
        return int(self.dataset["id"])

    @property
    def name(self) -> str:
        """The dataset's name."""
        return str(self.dataset.get("name"))

    @property
    def run_ids(self) -> list[int]:
        """The runs' numbers."""
        return [int(run["id"]) for run in self.runs]

    @property
    def task_ids(self) -> list[int]:
        """The runs' tasks."""
        return sorted({int(run["task"]) for run in self.runs if isinstance(run.get("task"), int)})


@dataclass(slots=True)
class _Names:
    """Predictors of one set of runs: what is known, and what is wanted by those who wait."""

    known: dict[str, int] = field(default_factory=dict)
    asked: float = 0.0
    wanted: dict[str, None] = field(default_factory=dict)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Catalogue:
    """Lookups by name.

    Args:
        client: of the server.
        clock: monotonic seconds.
    """

    def __init__(self, client: NeuroscoutClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._lists: dict[str, tuple[float, list[Json]]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._predictors: dict[tuple[int, ...], _Names] = {}

    async def dataset(self, name: str) -> Json:
        """The dataset of that name. Raises UnknownName, with what was probably meant."""
        rows, old = await self._list("datasets", self._client.datasets)
        try:
            return dataset_named(rows, name)
        except UnknownName:
            if not old:
                raise
        rows, _ = await self._list("datasets", self._client.datasets, anew=True)
        return dataset_named(rows, name)

    async def place(self, dataset: str, choice: RunChoice) -> Place:
        """A dataset's runs that are meant. Raises UnknownName."""
        found = await self.dataset(dataset)
        inactive = found.get("active") is False
        name, number = f"runs {found['id']}", int(found["id"])

        async def read() -> list[Json]:
            return await self._client.runs(number, inactive=inactive)

        rows, old = await self._list(name, read)
        try:
            return Place(found, tuple(runs_chosen(rows, choice, dataset)))
        except UnknownName:
            if not old:
                raise
        rows, _ = await self._list(name, read, anew=True)
        return Place(found, tuple(runs_chosen(rows, choice, dataset)))

    async def predictors(self, place: Place, names: Sequence[str]) -> dict[str, int]:
        """Name → id of public predictors. Raises UnknownName for those that the runs do not have."""
        mine = self._predictors.setdefault(tuple(place.run_ids), _Names())
        if mine.known and self._clock() - mine.asked > KEPT:
            mine.known.clear()
        if any(name not in mine.known for name in names):
            mine.wanted |= dict.fromkeys(names)
            async with mine.lock:
                wanted = [name for name in mine.wanted if name not in mine.known]
                mine.wanted.clear()
                if wanted:
                    rows = await self._client.predictors(place.run_ids, wanted, task_ids=place.task_ids)
                    mine.known |= public_named(rows, wanted, place.dataset_id)
                    mine.asked = self._clock()
        missing = [name for name in names if name not in mine.known]
        if missing:
            raise missing_predictors(missing, await self._all_names(place), place.name)
        return {name: mine.known[name] for name in names}

    async def _all_names(self, place: Place) -> list[str]:
        """The names of all predictors of a place, for suggestions."""
        names: list[str] = []
        for task_id in place.task_ids[:4]:

            async def read(task_id: int = task_id) -> list[Json]:
                return await self._client.task_predictors(task_id)

            rows, _ = await self._list(f"predictors of task {task_id}", read)
            names += [str(row.get("name")) for row in rows if not row.get("private")]
        return names

    async def _list(
        self, name: str, read: Callable[[], Awaitable[list[Json]]], *, anew: bool = False
    ) -> tuple[list[Json], bool]:
        """A list, and whether it is one that was kept."""
        begun = self._clock()
        async with self._locks.setdefault(name, asyncio.Lock()):
            kept = self._lists.get(name)
            if kept is not None and (kept[0] >= begun or (not anew and begun - kept[0] < KEPT)):
                return kept[1], kept[0] < begun
            now = self._clock()
            rows = await read()
            self._lists[name] = (now, rows)
            return rows, False

    def forget(self) -> None:
        """Drop what was kept."""
        self._lists.clear()
        self._predictors.clear()


def as_text(row: dict[str, Any]) -> str:
    """A run as people name it: subject, task, number."""
    number = row.get("number")
    parts = [f"sub-{row.get('subject')}", f"task-{row.get('task_name')}", *([f"run-{number}"] if number else [])]
    return "_".join(parts)
