"""The emulated server's memory: its tables, its task queue, and the time it is there.

Nothing here reads a clock: `catch_up(now)` sets the time at which everything that follows happens,
and does what was due before it (analyses that finish compiling, uploads that are read).
"""

import hashlib
import heapq
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from flyball.sandbox.dice import Dice
from flyball.sandbox.scout.errors import not_found
from flyball.sandbox.scout.habits import Habits
from flyball.sandbox.scout.records import Analysis, Collection, Dataset, Event, Predictor, Run, Task, User

Act = Callable[[], None]
K = TypeVar("K")
V = TypeVar("V")

_LETTERS = "23456789abcdefghijkmnopqrstuvwxyz"
_EVENTS_PER_RUN = 12


class Scout:
    """Everything the server knows."""

    def __init__(self, now: datetime, habits: Habits | None = None, seed: str = "lab") -> None:
        """An empty server at a moment; the seed decides ids, values and the tokens' secret."""
        self.now = now
        self.habits = habits if habits is not None else Habits()
        self.seed = seed
        self.secret = hashlib.sha256(f"{seed}/neuroscout".encode()).hexdigest()
        self.users: dict[int, User] = {}
        self.datasets: dict[int, Dataset] = {}
        self.tasks: dict[int, Task] = {}
        self.runs: dict[int, Run] = {}
        self.predictors: dict[int, Predictor] = {}
        self.collections: dict[int, Collection] = {}
        self.analyses: dict[str, Analysis] = {}
        self.last_predictor = 0
        self.last_collection = 0
        self.last_images = 0
        self._analyses_made = 0
        self._agenda: list[tuple[datetime, int, Act]] = []
        self._planned = 0
        self._waiting: deque[tuple[float, list[Act]]] = deque()
        self._busy = 0

    # Time

    def plan(self, moment: datetime, act: Act) -> None:
        """Have something done when the time comes."""
        self._planned += 1
        heapq.heappush(self._agenda, (moment, self._planned, act))

    def catch_up(self, now: datetime) -> None:
        """Do what was due up to a moment, each at its own time, and be there."""
        while self._agenda and self._agenda[0][0] <= now:
            moment, _, act = heapq.heappop(self._agenda)
            self.now = max(self.now, moment)
            act()
        self.now = max(self.now, now)

    # The task queue

    def submit(self, seconds: float, acts: list[Act]) -> bool:
        """Queue a task whose acts are spread over its time, the last one at its end; False: the queue is down."""
        if not self.habits.broker:
            return False
        self._waiting.append((seconds, acts))
        self.work()
        return True

    def work(self) -> None:
        """Start what waits, as far as there are workers."""
        while self.habits.worker and self._waiting and self._busy < self.habits.workers:
            seconds, acts = self._waiting.popleft()
            if seconds <= 0:
                for act in acts:
                    act()
                continue
            self._busy += 1
            for place, act in enumerate(acts, start=1):
                self.plan(self.now + timedelta(seconds=seconds * place / len(acts)), act)
            self.plan(self.now + timedelta(seconds=seconds), self._done)

    def _done(self) -> None:
        self._busy -= 1
        self.work()

    @property
    def backlog(self) -> int:
        """Tasks that run or wait."""
        return self._busy + len(self._waiting)

    # Making

    def new_analysis(self, owner: int, dataset_id: int, hash_id: str | None = None) -> Analysis:
        """An empty draft."""
        made = Analysis(hash_id or self._new_hash(), owner, dataset_id, self.now, self.now)
        self.analyses[made.hash_id] = made
        return made

    def _new_hash(self) -> str:
        """Five characters; six where five are taken."""
        self._analyses_made += 1
        dice = Dice.of(self.seed, "hash", self._analyses_made)
        hash_id = "".join(dice.choice(_LETTERS) for _ in range(5))
        while hash_id in self.analyses:
            hash_id += dice.choice(_LETTERS)
        return hash_id

    def new_predictor_id(self) -> int:
        """The next id; one that a failed insert took is gone."""
        self.last_predictor += 1
        return self.last_predictor

    def new_collection(self, name: str, owner: int) -> Collection:
        """An empty upload."""
        self.last_collection += 1
        made = Collection(self.last_collection, name, owner, self.now)
        self.collections[made.id] = made
        return made

    # Reading

    def analysis(self, hash_id: str) -> Analysis:
        """An analysis.

        Raises:
            Refusal: 404.
        """
        return found(self.analyses, hash_id)

    def tasks_of(self, dataset_id: int) -> list[Task]:
        """A dataset's tasks."""
        return [t for t in self.tasks.values() if t.dataset_id == dataset_id]

    def runs_of(self, dataset_id: int) -> list[Run]:
        """A dataset's runs."""
        return [r for r in self.runs.values() if r.dataset_id == dataset_id]

    def events_of(self, predictor: Predictor, run_id: int) -> list[Event]:
        """A predictor's events in one run: what was uploaded, or what the seed makes of its name."""
        if predictor.owner is not None or predictor.events:
            return predictor.events.get(run_id, [])
        run = self.runs.get(run_id)
        if run is None or run_id not in predictor.runs:
            return []
        dice = Dice.of(self.seed, "events", predictor.name, run_id)
        step = round(run.duration / _EVENTS_PER_RUN, 3)
        return [
            Event(round(step * place, 3), step, f"{dice.uniform(0, 1):.6f}", place + 1)
            for place in range(_EVENTS_PER_RUN)
        ]

    # Changing

    def changed(self, analysis: Analysis) -> None:
        """Note an edit; the row moves to the end of lists, as an updated row of the database does."""
        analysis.modified = self.now
        self.moved(analysis)

    def moved(self, analysis: Analysis) -> None:
        """The row was written again."""
        if self.analyses.pop(analysis.hash_id, None) is not None:
            self.analyses[analysis.hash_id] = analysis


def found(rows: dict[K, V], key: K) -> V:
    """A row.

    Raises:
        Refusal: 404.
    """
    row = rows.get(key)
    if row is None:
        raise not_found()
    return row
