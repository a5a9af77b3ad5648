"""What some kinds of effects need besides the site's tags, notes and gears: one protocol for each topic.

`Hands` carries what there is of them; a kind takes what it needs with `lent`, which names what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from flyball.model.errors import Permanent

Json = Mapping[str, Any]
T = TypeVar("T")


def lent(thing: T | None, what: str) -> T:
    """What was lent.

    Raises:
        Permanent: there is none here.
    """
    if thing is None:
        raise Permanent(f"there is no access to {what} here")
    return thing


class Collections(Protocol):
    """Collections of a Flywheel site."""

    async def find(self, label: str, *, fresh: bool = False) -> list[str]:
        """Ids of the collections with exactly this label, the oldest first."""
        ...

    async def create(self, label: str) -> str:
        """A new, empty collection; its id. Sent once."""
        ...

    async def members(self, ident: str) -> list[str]:
        """Ids of the acquisitions in it."""
        ...

    async def change(self, ident: str, operation: str, acquisitions: Sequence[str]) -> None:
        """`add` or `remove` acquisitions, in one request. What is in, or out, already is no error."""
        ...


class Sink(Protocol):
    """Takes the bytes of a file as they come."""

    @property
    def size(self) -> int:
        """Bytes that it has already."""
        ...

    async def restart(self) -> None:
        """Forget all that came so far."""
        ...

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        ...


@dataclass(frozen=True, slots=True)
class Source:
    """One file on a site, or one member of a zip file.

    Attributes:
        level, ident: the container that it hangs on (`analysis` among them).
        name: the file's.
        version: which of its versions; None: the newest.
        member: path of a member inside; None: the file itself.
    """

    level: str
    ident: str
    name: str
    version: int | None = None
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Local:
    """A file on our disk, as it was when it was looked at.

    Attributes:
        path: where, absolute.
        size: bytes.
        digests: name of a hash (`sha256`, `sha384`, …) → hex.
    """

    path: str
    size: int
    digests: Mapping[str, str]


class Contents(Protocol):
    """Files of a Flywheel site and what is in them.

    Attributes:
        trusts_hashes: False once this site was seen to tell hashes that are not those of the bytes it sends.
    """

    trusts_hashes: bool

    async def record(self, level: str, ident: str, name: str, *, fresh: bool = False) -> dict[str, Any] | None:
        """The record of a container's file, read singly, with info and tags; None when there is none."""
        ...

    async def outputs(self, analysis: str) -> list[dict[str, Any]]:
        """The records of an analysis' output files."""
        ...

    async def download(self, source: Source, sink: Sink, *, most: int | None = None) -> None:
        """Stream a file into `sink`, going on where it ends if the site can.

        Raises:
            Permanent: it has more than `most` bytes.
            Transient: it broke off; what came stays in the sink.
        """
        ...

    async def zip_members(self, source: Source) -> list[dict[str, Any]]:
        """What a zip file holds: `[{"path", "size", …}]`."""
        ...

    async def upload(self, level: str, ident: str, name: str, local: Local, metadata: Json) -> None:
        """Put a file on a container, or a new version of one that it has. Sent once."""
        ...

    async def restore(self, level: str, ident: str, record: Json, lost: Json) -> None:
        """Give a file back what it lost: `info`, `tags`, `classification`, `modality`, `type`, as far as given."""
        ...


class Part(Sink, Protocol):
    """A file in the making, beside the place it will have."""

    async def digest(self, name: str) -> str:
        """The hash of what came so far, in hex."""
        ...

    async def commit(self) -> None:
        """All is there: it takes its place, in one step."""
        ...


class Folder(Protocol):
    """The folder that effects write to. Paths are relative, with `/`, of parts that `effects.paths` has cleaned."""

    async def size(self, path: str) -> int | None:
        """Bytes of a file, None when there is none."""
        ...

    async def digest(self, path: str, name: str) -> str:
        """The hash of a file, in hex."""
        ...

    async def free(self) -> int:
        """Bytes that are free on its disk."""
        ...

    def part(self, path: str, key: str) -> AbstractAsyncContextManager[Part]:
        """Begin a file, or go on with one that was begun under the same key."""
        ...

    async def write(self, path: str, content: bytes) -> None:
        """Write a small file whole, in one step; nothing if it is there with this content."""
        ...

    async def claim(self, path: str, owner: str) -> str | None:
        """Make a place somebody's; None, or who had it before."""
        ...

    async def seal(self, path: str, key: str) -> None:
        """Note what the file at a place is."""
        ...

    async def sealed(self, path: str) -> str | None:
        """What the file at a place is, if it is there and was not changed since that was noted."""
        ...

    async def copy(self, path: str, to: str) -> bool:
        """Put a copy of a file somewhere, in one step; False when the same is there."""
        ...

    async def join(self, paths: Sequence[str], to: str) -> bool:
        """Put the tables of several files together into one, in one step; False when the same is there."""
        ...

    def data(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of this folder, hashed; it must not change meanwhile."""
        ...

    def local(self, path: str) -> AbstractAsyncContextManager[Local]:
        """A file of the config folder, hashed; it must not change meanwhile."""
        ...


class Views(Protocol):
    """Data views of a Flywheel site."""

    async def queue(self, view: Json, container: str) -> str | None:
        """Begin to run a view on a container; the execution's id. None: this site runs them only while one waits."""
        ...

    async def state(self, execution: str) -> str:
        """`queued`, `processing`, `completed`, `failed`."""
        ...

    async def data(self, execution: str, form: str, sink: Sink) -> None:
        """What it gave, as `csv` or `json`, into `sink`."""
        ...

    async def run(self, view: Json, container: str, form: str, sink: Sink) -> None:
        """Run a view and wait for what it gives."""
        ...


class Making(Protocol):
    """Makes containers on a Flywheel site."""

    async def children(self, level: str, parent: tuple[str, str], label: str, *, fresh: bool = False) -> list[str]:
        """Ids of the containers with exactly this label directly below another (level and id), the oldest first."""
        ...

    async def make(self, level: str, body: Json) -> str:
        """A new container; its id. Sent once."""
        ...


class Poster(Protocol):
    """Posts to an address of the lab's."""

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Send; the status of a good answer, or a SiteError named by what to do next."""
        ...
