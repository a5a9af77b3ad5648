"""Making reports: the mirror's rows are spooled to a folder, and a process of its own turns them into files.

A process, since the rows of a large project, the plotting library and seconds of computing would otherwise be in the
daemon. It gets no secrets: its environment is empty but for what Python needs. One at a time runs for all sites.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

import flyball
from flyball.effects.digests import KNOWN
from flyball.effects.lending import Local
from flyball.effects.port import MadeReport
from flyball.ledger.summing import stream_below
from flyball.model.errors import FlyballError, Transient
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey
from flyball.model.ports import Store
from flyball.reports.kinds import LATER, LEVELS, kept
from flyball.reports.making import Order

ERROR_LENGTH = 300
LONGEST_WAIT = 60.0  # seconds


class ReportPress:
    """What reports of all sites share.

    Args:
        store: the ledger.
        most: reports that are being made or wait for it; further ones come again later.
        cache: where the plotting library may remember the machine's fonts, which it looks for seconds; None: nowhere.
    """

    def __init__(self, store: Store, cache: Path | None = None, *, most: int = 4) -> None:
        self.store = store
        self._most = most
        self.cache = cache
        self._one = asyncio.Lock()
        self._waiting = 0
        self._sent_away = 0
        self._took = 3.0

    def full(self) -> float:
        """Seconds after which to come again, when enough reports wait already; 0: there is room.

        Reports that wait would hold places of the crew, which tags need.
        """
        if self._waiting < self._most:
            return 0.0
        self._sent_away += 1
        return min(LONGEST_WAIT, self._took * (self._waiting + self._sent_away))

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """One report at a time."""
        self._waiting += 1
        try:
            async with self._one:
                started = asyncio.get_running_loop().time()
                yield
                self._took = asyncio.get_running_loop().time() - started
        finally:
            self._waiting -= 1
            self._sent_away = max(0, self._sent_away - 1)

    def at(self, site: str, address: str) -> SiteReports:
        """The reports of one site.

        Args:
            site: configured name.
            address: of the site, for links; `https://…`.
        """
        return SiteReports(self, site, address)


@dataclass(frozen=True, slots=True)
class SiteReports:
    """`effects.port.Reports` for one site."""

    press: ReportPress
    site: str
    address: str

    def full(self) -> float:
        """Seconds after which to come again, when enough reports wait already; 0: there is room."""
        return self.press.full()

    @asynccontextmanager
    async def made(self, order: Order, project: str, formats: Sequence[str]) -> AsyncIterator[MadeReport]:
        """Make a report from the mirror; its files are there until the end of the context."""
        order = replace(order, links=f"{self.address}/#/projects/{project}/sessions/{{session}}?tab=data")
        async with self.press.turn():
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="flyball-report-"))
            try:
                key = NodeKey(self.site, Level.PROJECT, project)
                await self.press.store.read(partial(_spool, key=key, order=order, folder=folder))
                asked = {"order": asdict(order), "formats": list(formats)}
                await asyncio.to_thread((folder / "order.json").write_bytes, orjson.dumps(asked))
                await _run(folder, self.press.cache)
                told = orjson.loads(await asyncio.to_thread((folder / "made.json").read_bytes))
                files = {form: await asyncio.to_thread(_local, folder / f"report.{form}") for form in formats}
                yield MadeReport(files, int(told["rows"]), told["numbers"], told["notes"])
            except OSError as error:
                raise Transient(f"the report cannot be written: {error.strerror or error}") from error
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))


def _spool(connection: Any, *, key: NodeKey, order: Order, folder: Path) -> None:
    """Write what the report keeps of the project's rows to a file, one a line."""
    with (folder / "rows.jsonl").open("wb") as out:

        def sink(node: Node) -> None:
            row = kept(node, order.gear)
            if row is not None:
                out.write(orjson.dumps(row, option=orjson.OPT_NON_STR_KEYS) + b"\n")

        stream_below(connection, key, LEVELS[order.kind], sink)


async def _run(folder: Path, cache: Path | None) -> None:
    """Run the process; it ends with us."""
    environment = {
        "PYTHONPATH": str(Path(flyball.__file__).parent.parent),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLCONFIGDIR": str(await asyncio.to_thread(_usable, cache, folder)),
        "MPLBACKEND": "svg",
        "PYTHONHASHSEED": "0",  # equal data give equal bytes
        "OPENBLAS_NUM_THREADS": "1",
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "C.UTF-8",
        "HOME": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "flyball.reports", str(folder)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
        cwd=folder,
        start_new_session=True,  # a Ctrl-C is ours to answer
    )
    try:
        _, said = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await asyncio.shield(process.wait())
    if process.returncode is None or process.returncode < 0:
        raise Transient(f"the report was broken off (signal {-(process.returncode or 0)}): is there memory enough?")
    if process.returncode:
        last = said.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no reason given"]
        if process.returncode == LATER:
            raise Transient(f"the report cannot be written: {last[0][:ERROR_LENGTH]}")
        raise FlyballError(f"the report cannot be made: {last[0][:ERROR_LENGTH]}")


def _usable(cache: Path | None, instead: Path) -> Path:
    """The folder for what is remembered; another one where it cannot be made."""
    if cache is None:
        return instead
    try:
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return instead
    return cache if os.access(cache, os.W_OK) else instead


def _local(path: Path) -> Local:
    """A file with its hashes, in one reading."""
    digests = {name: hashlib.new(name) for name in KNOWN}
    with path.open("rb") as source:
        while piece := source.read(1024 * 1024):
            for digest in digests.values():
                digest.update(piece)
    return Local(str(path), path.stat().st_size, {name: digest.hexdigest() for name, digest in digests.items()})
