"""Works on their way into the ledger: handed over by the event loop, carried out in a writer's thread, told back."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from flyball.adapters.store.errors import StoreError
from flyball.model.errors import Stopping

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Job:
    """One caller's work on its way through a group."""

    work: Callable[[Connection], Any]
    future: asyncio.Future[Any]
    arrived: float  # monotonic seconds
    result: Any = None
    error: BaseException | None = None


class GroupLostError(Exception):
    """The transaction is gone with all that ran in it; `__cause__` says why."""


class WriterThread(ABC):
    """Runs works in the order in which they were submitted, on the engine's one connection, in a thread of its own.

    All methods but the thread's own are called from the event loop in which it was made. A class that derives from
    this one calls `_start` when it is ready to serve.

    Attributes:
        engine: of the one connection that writes.
        trouble: why the last writes failed; None since something was written again.
        works: works run so far.
        commits: groups committed so far.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.trouble: str | None = None
        self.works = 0
        self.commits = 0
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._ended = False  # the end of the queue was seen
        self._inside_work = False
        event.listen(engine, "commit", self._refuse_commit)
        self._thread = threading.Thread(target=self._serve, name="ledger-writer", daemon=True)

    def submit(self, work: Callable[[Connection], T]) -> asyncio.Future[T]:
        """Accepts `work`: from here on it is run and committed even if the caller goes away."""
        if self._closing.is_set():
            raise Stopping("the ledger is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._queue.put(Job(work, future, time.monotonic()))
        return future

    def stop_accepting(self) -> None:
        """Lets the thread end after the last accepted work. Later calls do nothing."""
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)

    def join(self) -> None:
        """Waits for the thread's end; blocks, so call it from another thread than the loop's."""
        self._thread.join()

    def _start(self) -> None:
        self._thread.start()

    # What follows runs in the writer's thread.

    @abstractmethod
    def _serve(self) -> None:
        """Runs and commits what comes, in groups, until the end of the queue."""

    def _arrived(self) -> Job | None:
        """The next work, if one has arrived already."""
        try:
            job = self._queue.get_nowait()
        except queue.Empty:
            return None
        self._ended = job is None
        return job

    def _tell(self, jobs: list[Job]) -> None:
        self.works += len(jobs)
        # Without a loop (it was closed under us) nobody is left to be told; what was committed stays committed.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(settle, jobs)

    def _remember(self, error: BaseException | None) -> None:
        if isinstance(error, StoreError):
            self.trouble = str(error)

    def _refuse_commit(self, _connection: Connection) -> None:
        if self._inside_work:
            raise RuntimeError("a work must not commit: the store does, for the whole group")


def settle(jobs: Iterable[Job]) -> None:
    """Hands out results, in the event loop. A caller who was cancelled meanwhile is passed over."""
    for job in jobs:
        if job.future.done():
            continue
        if job.error is None:
            job.future.set_result(job.result)
        elif isinstance(job.error, StopIteration):  # which a future cannot carry
            job.future.set_exception(RuntimeError("the work raised StopIteration"))
        else:
            job.future.set_exception(job.error)
        job.error = None  # its traceback leads back to the job: without this only the collector would free both
