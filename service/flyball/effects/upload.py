"""`upload`: puts a file of the config folder on containers, anew whenever its content changed.

Safe against doubles: the container's file of that name is read first, and nothing is sent if it has this content; after
an unclear end it is read twice. A site starts a new version without the old one's info, tags, classification and
modality (live19): they are read and stored before anything is sent, go along with the file, and are given back where
the site dropped them, by the next attempt too if this one is cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from flyball.effects.common import Entry, Params, an, container_json, lacking, may_reach, reads_of
from flyball.effects.digests import is_same
from flyball.effects.lending import Contents, Local, Source, lent
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

KEPT: Final = ("info", "tags", "classification", "modality", "type")
Json = Mapping[str, Any]


class UploadParams(Params):
    """Parameters of `upload`."""

    file: str = Field(min_length=1, description="A file of the config folder, relative to it.")
    to: Literal["project", "subject", "session", "acquisition"] = Field(
        description="Level of the container that gets it: the target's or one above."
    )
    name: str | None = Field(default=None, description="Template of its name there. Default: its own.")


@dataclass(frozen=True, slots=True)
class UploadEntry(Entry):
    """A compiled `upload` entry.

    Attributes:
        local: the file → its hash when the rule was read; a changed file makes a changed rule.
    """

    to: Level
    file: str
    name: Template
    local: Mapping[str, str]

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`; and why nothing can be uploaded, where there is no container."""
        yield from Entry.because(self, moment)
        if container_json(moment.document, self.to) is None:
            yield lacking(moment.document, self.to, "upload to it")

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One file on one container."""
        slot = f"{self.index}.upload"
        container = container_json(moment.document, self.to)
        name = self.name.fill(moment.context.names)
        trouble = ""
        if container is None:
            trouble = lacking(moment.document, self.to, "upload to it").note
        elif isinstance(name, Unknown):
            trouble = name.reason
        elif "/" in name or not name.strip() or name in (".", "..") or "\0" in name:
            trouble = f"{name!r} is no name for a file"
        if trouble or container is None:
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", trouble, slot, trouble)
            return
        digest = self.local.get(self.file, "")
        target = moment.document.target.id
        key = once_key("upload", moment.rule_id, target, container["id"], str(name), digest, moment.generation)
        params = {"container": container, "file": self.file, "name": str(name), "sha256": digest}
        params["lane"] = f"upload/{container['id']}/{name}"
        yield Wish(self.kind, self.want(moment), params, key, f"upload {name}  {container['path']}", slot)


class Upload:
    """The effect kind."""

    name = "upload"
    params = UploadParams
    over = WhenOver.LEAVE
    deadline: float | None = None  # silence ends it, not its size

    def compile(self, params: UploadParams, when: Expression | None, index: int, compiler: Compiler) -> UploadEntry:
        """Find the file."""
        to = Level(params.to)
        if not may_reach(compiler.each, to):
            raise Fault(
                ("to",), f"a rule on each {compiler.each} cannot upload to {an(to)}: name a level at or above it"
            )
        if "{{" in params.file:
            raise Fault(
                ("file",), "the file is one of the config folder and the same for all targets; no template here"
            )
        local = compiler.local(params.file, ("file",))
        own = params.file.replace("\\", "/").rsplit("/", 1)[-1]
        name = compiler.template(own if params.name is None else params.name, ("name",))
        digests = {params.file: local.sha256}
        return UploadEntry(self.name, index, when, reads_of(when, name), to, params.file, name, digests)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt: look, keep what would be lost and end, send, give back."""
        contents, folder = lent(hands.contents, "files of this site"), lent(hands.folder, "local files")
        async with folder.local(effect.params["file"]) as local:
            return await put_file(effect, contents, local, effect.params["name"])


async def put_file(effect: Effect, contents: Contents, local: Local, name: str) -> Report:
    """One attempt at having a file with this content and name on `params["container"]`.

    Of the effect's params, `kept` is what earlier attempts stored of the version that is replaced.
    """
    container = effect.params["container"]
    level, ident = container["level"], container["id"]
    kept: Json = effect.params.get("kept") or {}
    record = await contents.record(level, ident, name, fresh=bool(effect.unclear))
    if record is not None and await _is_this(contents, level, ident, record, local):
        restored = await _give_back(contents, level, ident, record, kept)
        again = bool(kept or effect.unclear)
        detail = {"name": name, "file": record.get("id"), "version": record.get("version"), "restored": restored}
        return Report(Outcome.DONE if again else Outcome.ALREADY, detail)
    if effect.wants_another_look:
        return Report(Outcome.UNKNOWN, error="the site does not show the file yet", looked=True)
    if not effect.params.get("wanted", True):
        return Report(Outcome.SUPERSEDED, error="no longer wanted")
    if record is not None and kept.get("version") != _version(record):
        found = {field: record.get(field) for field in KEPT if record.get(field)}
        # Stored before anything is sent: after a kill, nothing else would tell what the old version had.
        return Report(Outcome.WAITING, {"kept": {**found, "version": _version(record)}}, wait=0.0)
    metadata = {field: value for field, value in kept.items() if field in KEPT}
    await _send(contents, level, ident, name, local, metadata)
    after = await contents.record(level, ident, name, fresh=True)
    restored = [] if after is None else await _give_back(contents, level, ident, after, kept)
    told = {} if after is None else {"file": after.get("id"), "version": after.get("version")}
    return Report(Outcome.DONE, {"name": name, "size": local.size, "restored": restored, **told})


async def _send(contents: Contents, level: str, ident: str, name: str, local: Local, metadata: Json) -> None:
    """Send the file with what it had. A site that refuses that gets the bare file; the rest is given back after."""
    try:
        await contents.upload(level, ident, name, local, metadata)
    except Permanent as error:
        if not metadata or error.status not in (400, 422):
            raise
        await contents.upload(level, ident, name, local, {})


async def _give_back(contents: Contents, level: str, ident: str, record: Json, kept: Json) -> list[str]:
    lost = lost_of(kept, record)
    if lost:
        await contents.restore(level, ident, record, lost)
    return sorted(lost)


def lost_of(kept: Json, record: Json) -> dict[str, Any]:
    """What a file had and has no more. What somebody wrote to the new version meanwhile stays."""
    lost: dict[str, Any] = {}
    info = _mapping(record.get("info"))
    missing = {key: value for key, value in _mapping(kept.get("info")).items() if key not in info}
    if missing:
        lost["info"] = missing
    tags = [tag for tag in kept.get("tags") or () if tag not in (record.get("tags") or ())]
    if tags:
        lost["tags"] = tags
    for field in ("modality", "type"):
        if kept.get(field) and record.get(field) != kept[field] and (field == "type" or not record.get(field)):
            lost[field] = kept[field]
    classes = _mapping(kept.get("classification"))
    if classes and (not record.get("classification") or "modality" in lost):  # a new modality clears it (live19)
        lost["classification"] = dict(classes)
    return lost


async def _is_this(contents: Contents, level: str, ident: str, record: Json, local: Local) -> bool:
    """Whether the file on the site has our content: by its hash, else by reading it."""
    same = is_same(record, local.size, local.digests)
    if same is not None:
        return same
    sink = _Hashing()
    version = record.get("version")
    source = Source(level, ident, str(record["name"]), version if isinstance(version, int) else None)
    await contents.download(source, sink, most=local.size)
    return sink.size == local.size and sink.hash.hexdigest() == local.digests["sha256"]


class _Hashing:
    """A sink that keeps a hash only."""

    def __init__(self) -> None:
        self.size = 0
        self.hash = hashlib.sha256()

    async def restart(self) -> None:
        """Forget all."""
        self.size, self.hash = 0, hashlib.sha256()

    async def write(self, piece: bytes) -> None:
        """Take some more."""
        self.size += len(piece)
        self.hash.update(piece)


def _version(record: Json) -> Any:
    """Tells the versions of a file apart."""
    return [record.get("version"), record.get("hash"), record.get("replaced")]


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}
