"""What carrying out an effect may use, handed in by the worker; and what an effect kind must offer to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from flyball.effects.lending import Collections, Contents, Folder, Local, Making, Poster, Views
from flyball.effects.scout.port import Folders, Scout, SmallFiles
from flyball.effects.wire import Wire
from flyball.model.effect import Effect, Report
from flyball.reports.making import Order
from flyball.rules.catalog import EffectKind

Json = Mapping[str, Any]


class Site(Protocol):
    """The requests to a Flywheel site that effects make; `fresh` asks on a connection of its own."""

    async def tags(self, level: str, ident: str, *, fresh: bool = False) -> list[str]:
        """The tags on one container or file, read singly."""
        ...

    async def add_tag(self, level: str, ident: str, tag: str) -> bool:
        """Add a tag; False when the site says that it is there already (409)."""
        ...

    async def remove_tag(self, level: str, ident: str, tag: str) -> None:
        """Remove a tag; an absent one is no error."""
        ...

    async def notes(self, level: str, ident: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """The notes on one container."""
        ...

    async def add_note(self, level: str, ident: str, text: str) -> None:
        """Add a note."""
        ...

    async def info(self, level: str, ident: str, *, fresh: bool = False) -> dict[str, Any]:
        """The `info` of one container or file, read singly."""
        ...

    async def set_info(self, level: str, ident: str, values: Json) -> None:
        """Set top-level keys of `info`, each whole; the others stay."""
        ...

    async def gear(self, name: str, version: str | None = None) -> dict[str, Any]:
        """A gear by name, newest by creation, or one version of it. Raises Gone when there is none."""
        ...

    async def launch_analysis(self, level: str, ident: str, body: Json) -> str:
        """Create an analysis with a job on a container; the analysis' id."""
        ...

    async def launched(self, ident: str) -> tuple[str | None, dict[str, Any] | None]:
        """The analysis and the job behind the id that a launch answered."""
        ...

    async def add_job(self, body: Json) -> str:
        """Run a utility gear; the job's id."""
        ...

    async def retry_job(self, ident: str) -> str:
        """Run a failed job again, with its tags; the new job's id."""
        ...

    async def analyses_of(self, level: str, ident: str, *, fresh: bool = False) -> list[dict[str, Any]]:
        """The analyses on a container, with their jobs and these with their config."""
        ...

    async def find_jobs_by_tag(self, tag: str, *, project: str | None, fresh: bool = False) -> list[dict[str, Any]]:
        """Jobs that carry a tag, looked for by the route that this key may use; newest last."""
        ...

    async def gear_jobs(self, gear: str, *, project: str | None, destination: str) -> list[dict[str, Any]]:
        """Jobs of one gear on a container, as far as this key may list them, with their config. May give others too."""
        ...


class Channels(Protocol):
    """Where messages to people go."""

    async def send(self, channel: str, message: Json, *, key: str) -> None:
        """Deliver one message, or raise a SiteError named by what to do next."""
        ...


@dataclass(frozen=True, slots=True)
class MadeReport:
    """A report that was made.

    Attributes:
        files: format → where it lies, until the end of the context that made it.
        rows: of the CSV.
        numbers, notes: its headline figures and remarks, as JSON.
    """

    files: Mapping[str, Local]
    rows: int
    numbers: Json
    notes: Sequence[str]


class Reports(Protocol):
    """Makes reports about projects of one site."""

    def full(self) -> float:
        """Seconds after which to come again, when enough reports wait already; 0: there is room."""
        ...

    def made(self, order: Order, project: str, formats: Sequence[str]) -> AbstractAsyncContextManager[MadeReport]:
        """Make a report about a project (its id) from the mirror as it is now."""
        ...


@dataclass(frozen=True, slots=True)
class Hands:
    """What a worker lends an effect for one attempt.

    Attributes:
        site: client of the effect's site.
        channels: the message channels.
        secret: resolves `env:NAME` at the last moment; the value goes nowhere but into the request.
        now: the present, UTC.
        unclear_wait: seconds to wait before the site is asked after an unclear end: (reset or kill, our time-out).
        late: least seconds between the first look that found nothing and the second.
        reports: makes reports; None where there is no ledger to make them of.
        collections, contents, views, making: further topics of the site (see `effects.lending`).
        folder: where files are written to, and the config folder to read from.
        poster: posts to addresses of the lab's.
        scouts: the Neuroscout servers by name: rules on either kind of site may use them.
        lab: small files of the lab, whole.
        small: small files on the effect's Flywheel site, whole; None: it is none.
        wire: further requests to the effect's Flywheel site; None: it is none.
    """

    site: Site
    channels: Channels
    secret: Callable[[str], str]
    now: datetime
    unclear_wait: tuple[float, float]
    late: float = 0.0
    collections: Collections | None = None
    contents: Contents | None = None
    folder: Folder | None = None
    views: Views | None = None
    making: Making | None = None
    poster: Poster | None = None
    reports: Reports | None = None
    scouts: Mapping[str, Scout] = field(default_factory=dict)
    lab: Folders | None = None
    small: SmallFiles | None = None
    wire: Wire | None = None


class Kind(EffectKind, Protocol):
    """A kind of effect: how rules ask for it (pure) and how it is carried out."""

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt. Errors of the site are raised as they are; the worker turns them into a report.

        `effect.unclear` above zero means that an earlier attempt may have been carried out: ask the site first.
        """
        ...


Kinds = Mapping[str, Kind]
