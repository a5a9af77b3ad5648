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
from flyball.effects.port import MadeReport
from flyball.ledger.summing import stream_below
from flyball.model.errors import FlyballError, Permanent, Transient
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey
from flyball.model.ports import Store
from flyball.reports.kinds import LEVELS, kept
from flyball.reports.making import Order

ERROR_LENGTH = 300
MOST_WAITING = 4  # reports that are being made or wait for it
LONGEST_WAIT = 60.0  # seconds
STALE = 3600.0  # seconds after which a half-written file is nobody's
_BESIDE = ".report-"


class ReportPress:
    """What reports of all sites share.

    Args:
        store: the ledger.
        data: the folder that files are written to.
        cache: where the plotting library may remember the machine's fonts, which it looks for seconds; None: nowhere.
    """

    def __init__(self, store: Store, data: Path, cache: Path | None = None) -> None:
        self.store = store
        self.data = data
        self.cache = cache
        self._one = asyncio.Lock()
        self._waiting = 0
        self._sent_away = 0
        self._took = 3.0

    def full(self) -> float:
        """Seconds after which to come again, when enough reports wait already; 0: there is room.

        Reports that wait would hold places of the crew, which tags need.
        """
        if self._waiting < MOST_WAITING:
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
                files = {form: folder / f"report.{form}" for form in formats}
                yield MadeReport(files, int(told["rows"]), told["numbers"], told["notes"])
            except OSError as error:
                raise Transient(f"the report cannot be written: {error.strerror or error}") from error
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def keep(self, made: Path, relative: str) -> dict[str, Any]:
        """Put a file below the data folder, unless an equal one is there; see `effects.port.Reports`."""
        return await asyncio.to_thread(keep, made, self.press.data, relative)

    async def send(self, made: Path, project: str, name: str) -> dict[str, Any]:
        """Put a file on the project, unless an equal one is there."""
        raise Permanent(f"{name}: this version cannot upload to project {project} from {made.name}")


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


def keep(made: Path, data: Path, relative: str) -> dict[str, Any]:
    """Put a file below a folder, as a whole or not at all.

    Returns:
        `{"file": path below the folder, "sha256", "changed"}`; not changed when an equal file is there.

    Raises:
        Permanent: the path would leave the folder, or a link or another kind of file is in its way.
        Transient: the disk is full, or may not be written just now.
    """
    parts = [safe_part(part) for part in relative.split("/") if part.strip()]
    place = data.joinpath(*parts)
    digest = _sha256(made)
    shown = {"file": "/".join(parts), "sha256": digest}
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.parent.resolve().is_relative_to(data.resolve()):
            raise Permanent(f"{shown['file']} leads out of the data folder over a link")
        if place.is_symlink() or (place.exists() and not place.is_file()):
            raise Permanent(f"{shown['file']} is there and is no plain file")
        if place.exists() and _sha256(place) == digest:
            return {**shown, "changed": False}
        _replace(made, place)
    except OSError as error:
        raise Transient(f"{shown['file']} cannot be written: {error.strerror or error}") from error
    return {**shown, "changed": True}


def _replace(made: Path, place: Path) -> None:
    handle, name = tempfile.mkstemp(prefix=_BESIDE, dir=place.parent)
    beside = Path(name)
    _tidy(place.parent, beside)
    try:
        with open(handle, "wb") as out, made.open("rb") as source:  # noqa: PTH123 - a handle, no path
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(place)
        folder = os.open(place.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _tidy(folder: Path, but: Path) -> None:
    """Remove what a killed daemon left half written, an hour later."""
    new = but.stat().st_mtime
    for left in folder.glob(f"{_BESIDE}*"):
        if left != but and left.is_file() and new - left.stat().st_mtime > STALE:
            left.unlink(missing_ok=True)


def safe_part(part: str) -> str:
    """One part of a path, from a label: nothing that leads elsewhere, nothing that does not print, not too long."""
    shown = "".join(one if one.isprintable() and one not in '\\:*?"<>|' else "_" for one in part).strip()
    if not shown.strip("."):
        return "_"
    stem, dot, ending = shown.rpartition(".")
    room = 180 - len(ending.encode())
    if len(shown.encode()) > 200 and stem and room > 0:
        return f"{stem.encode()[:room].decode('utf-8', 'ignore')}{dot}{ending}"
    return shown.encode()[:200].decode("utf-8", "ignore")


def _sha256(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
