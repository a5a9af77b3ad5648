"""`download`: brings files, or members of zip outputs, to folders named by labels. Carried out in `downloading`.

What is wanted is told by the once-key: which version of which file, or which run of a gear, and the place it goes to.
A file that is replaced on the site is brought anew; a file that is there already, with the same size and hash, is not.
Safe against doubles: to read a file changes nothing on the site, and on disk it takes its place in one step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import Field

from flyball.effects.common import Entry, Params, an, reads_of
from flyball.effects.downloading import Downloading
from flyball.effects.paths import PathTemplate, clean, compile_path
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.levels import Level
from flyball.model.node import Document, Node
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver

COMPLETE: Final = "complete"
_EARLY = datetime.min.replace(tzinfo=UTC)


class DownloadParams(Params):
    """Parameters of `download`."""

    to: str = Field(
        min_length=1,
        description="Template of the place below the data folder; what labels put into a part is cleaned. "
        "With a slash at the end a folder, which gets the file under its own name.",
    )
    gear: str | None = Field(
        default=None, description="Instead of the target's file: outputs of this gear's latest complete run on it."
    )
    member: str | list[str] = Field(
        default_factory=list,
        description="Globs over the paths inside of zip files (`*` goes across folders); without any, whole files.",
    )
    file: str | list[str] = Field(
        default_factory=list, description="Globs over the names of the run's output files; without any, all of them."
    )


@dataclass(frozen=True, slots=True)
class DownloadEntry(Entry):
    """A compiled `download` entry.

    Attributes:
        gear: whose outputs; None: the target is the file.
        runs: names of gears whose runs on the target must be known.
    """

    to: PathTemplate
    gear: str | None
    members: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def runs(self) -> frozenset[str]:
        """Gears whose runs the decision stands on."""
        return frozenset() if self.gear is None else frozenset({self.gear})

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, and which run is the latest."""
        yield from Entry.because(self, moment)
        if self.gear is not None:
            run = latest_run(moment.document, self.gear)
            told = {} if run is None else {"job": run.id, "created": str(run.doc.get("created"))}
            note = "" if run is not None else "no complete run is known on it"
            yield Because(f"latest complete run of {self.gear}", "unknown" if run is None else "true", told, note)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One file, or the outputs of one run."""
        slot = f"{self.index}.download"
        want = self.want(moment)
        source = self._source(moment)
        place = self.to.fill(moment.context.names)
        trouble = source if isinstance(source, str) else place.reason if isinstance(place, Unknown) else ""
        if isinstance(source, str) or isinstance(place, Unknown):
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", trouble, slot, trouble)
            return
        target = moment.document.target
        params: dict[str, Any] = {**source, "to": place, "folder": self.to.is_folder}
        if self.gear is None and self.to.is_folder and not self.members:
            params |= {"to": [*place, clean(source["name"])], "folder": False}
        params |= {"members": list(self.members), "files": list(self.files), "owner": f"{target.site}/{target.id}"}
        stable = {name: value for name, value in params.items() if name not in ("size", "hash", "container", "owner")}
        key = once_key("download", moment.rule_id, target.id, stable, moment.generation)
        yield Wish(self.kind, want, params, key, f"download {'/'.join(params['to'])}  {target.path}", slot)

    def _source(self, moment: Moment) -> dict[str, Any] | str:
        """What is to be brought, or why that is not known."""
        document = moment.document
        if self.gear is not None:
            run = latest_run(document, self.gear)
            if run is None:
                return f"no complete run of {self.gear} is known on it"
            analysis = run.parents.get("analysis")
            if analysis is None:
                return f"the run of {self.gear} made no analysis"
            container = {"level": "analysis", "id": analysis, "path": f"{document.target.path}/{self.gear}"}
            return {"container": container, "job": run.id}
        doc = document.node.doc
        parent = doc.get("parent_ref")
        if not isinstance(parent, Mapping) or not parent.get("id"):
            return "the site does not tell where the file hangs"
        return {
            "container": {"level": str(parent.get("type")), "id": str(parent["id"]), "path": document.target.path},
            "name": document.node.label,
            "file": document.node.id,
            "version": doc.get("version"),
            "state": doc.get("replaced") or doc.get("created"),
            "size": doc.get("size"),
            "hash": doc.get("hash"),
        }


class Download(Downloading):
    """The effect kind."""

    name = "download"
    params = DownloadParams
    over = WhenOver.LEAVE
    deadline: float | None = None  # silence ends it, not its size

    def compile(self, params: DownloadParams, when: Expression | None, index: int, compiler: Compiler) -> DownloadEntry:
        """Compile the place."""
        members, files = _listed(params.member), _listed(params.file)
        if params.gear is None and compiler.each is not Level.FILE:
            raise Fault(
                (), f"a rule on each {compiler.each} has no file to download: use `each: file`, or name a `gear`"
            )
        if params.gear is not None and compiler.each in (Level.FILE, Level.JOB, Level.ANALYSIS, Level.MATRIX):
            raise Fault(
                ("gear",), f"outputs of a gear are those of its runs on a container, not on {an(compiler.each)}"
            )
        if params.gear is None and files:
            raise Fault(("file",), "`file` chooses among the outputs of a `gear`")
        place = compile_path(params.to, compiler, ("to",))
        return DownloadEntry(self.name, index, when, reads_of(when, place), place, params.gear, members, files)


def latest_run(document: Document, gear: str) -> Node | None:
    """The newest complete job of a gear on the target itself, by creation; of two at the same time, the greater id."""
    found = [
        node
        for node in document.runs
        if node.label == gear and node.doc.get("state") == COMPLETE and _is_on(node, document)
    ]
    return max(found, key=lambda node: (node.created or _EARLY, node.id), default=None)


def _is_on(run: Node, document: Document) -> bool:
    """Whether a run is on the target, not on something below it."""
    target = document.target
    deeper = [str(level) for level in Level if level in _BELOW.get(target.level, ())]
    return run.parents.get(str(target.level)) == target.id and not any(run.parents.get(level) for level in deeper)


_BELOW: Mapping[Level, tuple[Level, ...]] = {
    Level.PROJECT: (Level.SUBJECT, Level.SESSION, Level.ACQUISITION),
    Level.SUBJECT: (Level.SESSION, Level.ACQUISITION),
    Level.SESSION: (Level.ACQUISITION,),
}


def _listed(value: str | list[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
