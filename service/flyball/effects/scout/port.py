"""What effects on a Neuroscout server may use, handed in by the composition root."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flyball.clients.neuroscout.board import Board
from flyball.clients.neuroscout.catalogue import Catalogue
from flyball.clients.neuroscout.client import NeuroscoutClient
from flyball.effects.scout.queue import CompileQueue

ANALYSIS = "neuroscout.analysis"
PREDICTORS = "neuroscout.predictors"


@dataclass(frozen=True, slots=True)
class Scout:
    """One Neuroscout server.

    Attributes:
        client: requests to it.
        catalogue: names to numbers, kept for a while.
        board: how the own analyses and collections are, one request for all who ask.
        queue: how many analyses may be compiling at once.
        pause: seconds between two looks at something that the server works on, at first.
    """

    client: NeuroscoutClient
    catalogue: Catalogue
    board: Board
    queue: CompileQueue
    pause: float

    def now(self) -> datetime:
        """The present, UTC."""
        return self.client.transport.now()

    @property
    def name(self) -> str:
        """The configured name of the site."""
        return self.client.site


class Folders(Protocol):
    """Files of the lab: what is read is below the config folder, what is written below `data`."""

    async def read(self, path: str, *, most: int) -> bytes:
        """A file below the config folder.

        Raises:
            Permanent: there is none, it lies elsewhere, or it is larger than `most` bytes.
        """
        ...

    async def save(self, path: str, content: bytes) -> str:
        """Write a file below `data`, whole or not at all; where it is, relative to `data`.

        Raises:
            Permanent: the path leads elsewhere.
            Transient: it cannot be written now.
        """
        ...


class SmallFiles(Protocol):
    """Small files on a Flywheel site, whole."""

    async def content(self, reference: Mapping[str, Any], *, most: int) -> bytes:
        """The file behind `{"container": {"level", "id"}, "name"}`. Raises Permanent when larger than `most` bytes."""
        ...
