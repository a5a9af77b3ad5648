"""`report`: keeps a report about a project up to date, on disk or as a file of the project.

Follows the present state: its once-key is made of the state of what the report reads, so that a change below the
project asks for a new one. What comes out is compared with the file that is there: equal content is never written or
sent again, so that doing it twice changes nothing. On disk, a file is replaced as a whole or not at all; on the project
it is put as `upload` puts files: an unclear end is looked into first, and what the file had goes with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from flyball.effects.common import Entry, Params, container_json, reads_of
from flyball.effects.lending import Contents, Folder, Local, lent
from flyball.effects.paths import PathTemplate, clean, compile_path, marked
from flyball.effects.port import Hands
from flyball.effects.upload import put_file
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Blame, Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.model.levels import Level
from flyball.reports.kinds import LEVELS, READS, KindWord
from flyball.reports.making import Order, plots_possible
from flyball.reports.qc_judging import cut_json
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import once_key
from flyball.rules.profiles import Profile
from flyball.rules.reading.fields import OneOrMany
from flyball.rules.rule import Moment, WhenOver

Form = Literal["csv", "html"]
Place = Literal["project", "disk"]
PIECE = 1024 * 1024
LACKS_PLOTS = "HTML reports need matplotlib: install Flyball with its extra `reports`, or ask for `format: csv`"


class ReportParams(Params):
    """Parameters of `report`."""

    kind: KindWord = Field(description="demographics, overview (who has which acquisition), qc, gear-status.")
    gear: str | None = Field(default=None, min_length=1, description="With `gear-status`: the gear's name.")
    profile: OneOrMany[str] = Field(
        default=(), description="With `qc`: profiles whose cut-offs mark outliers; without, the peers alone do."
    )
    format: OneOrMany[Form] = Field(default=("csv", "html"), description="csv, html, or both.")
    to: OneOrMany[Place] = Field(default=("disk",), description="disk (below `data`), project (as a file), or both.")
    name: str | None = Field(
        default=None,
        min_length=1,
        description="Template of the file's name without its ending; on disk it may have folders. "
        "By default the project's label and the kind, on disk below `reports/GROUP`.",
    )

    @model_validator(mode="after")
    def _fits(self) -> ReportParams:
        if (self.kind == "gear-status") != (self.gear is not None):
            raise ValueError("`gear` goes with `kind: gear-status`, which needs it")
        if self.profile and self.kind != "qc":
            raise ValueError("`profile` goes with `kind: qc`")
        if not self.format or not self.to:
            raise ValueError("`format` and `to` name at least one each")
        return self


@dataclass(frozen=True, slots=True)
class ReportEntry(Entry):
    """A compiled `report` entry.

    Attributes:
        rests_on: the levels below the project that the report reads.
        profiles: whose cut-offs mark outliers.
    """

    params: ReportParams
    name: PathTemplate | None
    rests_on: frozenset[Level]
    profiles: tuple[Profile, ...] = ()

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, explained."""
        yield from Entry.because(self, moment)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One report, made anew when its key is another one."""
        document, asked = moment.document, self.params
        slot = f"{self.index}.report"
        container, want = container_json(document, Level.PROJECT), self.want(moment)
        place = self._place(moment)
        if container is None or isinstance(place, Unknown):
            reason = place.reason if isinstance(place, Unknown) else "the project cannot be read"
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        params = {
            "container": container,
            "report": asked.kind,
            "gear": asked.gear or "",
            "cuts": self._cuts(container["path"]),
            "format": list(asked.format),
            "to": list(asked.to),
            "place": place,
            "lane": f"report/{container['id']}/{'/'.join(place)}",
            "state": {} if document.summary is None else self._state(document.summary.state),
        }
        key = once_key(moment.rule_id, document.target.id, self.kind, params, moment.generation)
        what = f"{asked.kind} of {asked.gear}" if asked.gear else asked.kind
        yield Wish(self.kind, want, params, key, f"report {what}  {container['path']}", slot)

    def _place(self, moment: Moment) -> list[str] | Unknown:
        """Where it goes on disk, without its ending; the last part is its name on the site, too."""
        if self.name is not None:
            parts = self.name.fill(moment.context.names)
            if isinstance(parts, Unknown):
                return parts
            return [*parts[:-1], without_ending(parts[-1])]
        node = moment.document.node
        kind = f"{self.params.gear}_status" if self.params.gear else self.params.kind
        return ["reports", clean(node.parents.get("group", "_")), clean(f"{node.label}_{kind}")]

    def _state(self, known: Mapping[str, str]) -> dict[str, str]:
        """The state of what this report reads; other reports of the rule may read more."""
        return {str(level): known[level] for level in sorted(self.rests_on) if level in known}

    def _cuts(self, project: str) -> dict[str, Any]:
        """The profiles' cut-offs in this project; of a metric that two profiles name, the later one's."""
        cuts: dict[str, Any] = {}
        for profile in self.profiles:
            cuts |= cut_json(profile.at(project))
        return cuts


class ReportKind:
    """The effect kind."""

    name = "report"
    params = ReportParams
    over = WhenOver.LEAVE

    def compile(self, params: ReportParams, when: Expression | None, index: int, compiler: Compiler) -> ReportEntry:
        """Compile name and profiles."""
        if compiler.each is not Level.PROJECT:
            raise Fault(("kind",), f"a report is about a project: write `each: project`, not `each: {compiler.each}`")
        name = None if params.name is None else compile_path(params.name, compiler, ("name",))
        known = compiler.profile
        profiles = tuple(known(profile, ("profile",)) for profile in params.profile) if known is not None else ()
        reads = reads_of(when, name) | READS[params.kind]
        return ReportEntry(self.name, index, when, reads, params, name, frozenset(LEVELS[params.kind]), profiles)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Make the report from the mirror as it is now, and put it where it differs from what is there."""
        asked, reports = effect.params, lent(hands.reports, "a folder to make reports in")
        if not asked.get("wanted", True) and not effect.unclear:
            return Report(Outcome.SUPERSEDED, error="no longer wanted")
        if wait := reports.full():
            return Report(Outcome.TRANSIENT, error="waits for its turn", wait=wait, blame=Blame.NOBODY)
        if "html" in asked["format"] and not plots_possible():
            raise Permanent(LACKS_PLOTS)
        container = asked["container"]
        order = Order(asked["report"], container["path"], asked["gear"], asked["cuts"])
        files: list[dict[str, Any]] = []
        async with reports.made(order, container["id"], asked["format"]) as made:
            for form, local in made.files.items():
                if "disk" in asked["to"] and asked.get("wanted", True):
                    files.append(await _keep(lent(hands.folder, "local files"), local, asked["place"], form, container))
                if "project" in asked["to"]:
                    sent = await _send(effect, lent(hands.contents, "files of this site"), local, form)
                    if sent.outcome not in (Outcome.DONE, Outcome.ALREADY):
                        return sent
                    files.append({**sent.detail, "changed": sent.outcome is Outcome.DONE})
        changed = any(one["changed"] for one in files)
        return Report(
            Outcome.DONE if changed else Outcome.ALREADY, {"files": files, "rows": made.rows, "numbers": made.numbers}
        )


async def _keep(
    folder: Folder, local: Local, place: Sequence[str], form: str, container: Mapping[str, Any]
) -> dict[str, Any]:
    """Have a file with this content on disk, as a whole or not at all; where another project's is, beside it."""
    parts = [*place[:-1], f"{place[-1]}.{form}"]
    path, owner = "/".join(parts), f"report/{container['id']}"
    if await folder.claim(path, owner) is not None:
        path = "/".join([*parts[:-1], marked(parts[-1], owner)])
        if await folder.claim(path, owner) is not None:
            raise Permanent(f"{path} is another report's place")
    digest = local.digests["sha256"]
    if await folder.size(path) == local.size and await folder.digest(path, "sha256") == digest:
        return {"path": path, "changed": False}
    async with folder.part(path, digest) as part:
        await part.restart()
        async for piece in _pieces(local.path):
            await part.write(piece)
        await part.commit()
    return {"path": path, "changed": True}


async def _pieces(path: str) -> AsyncIterator[bytes]:
    with await asyncio.to_thread(Path(path).open, "rb") as source:
        while piece := await asyncio.to_thread(source.read, PIECE):
            yield piece


async def _send(effect: Effect, contents: Contents, local: Local, form: str) -> Report:
    """Have a file with this content on the project. What a file had that is replaced is kept apart for each format."""
    kept = f"kept_{form}"
    name = f"{effect.params['place'][-1]}.{form}"
    mine = replace(effect, params={**effect.params, "kept": effect.params.get(kept)})
    report = await put_file(mine, contents, local, name)
    if report.outcome is Outcome.WAITING:
        return replace(report, detail={kept: report.detail["kept"]})
    return report


def without_ending(name: str) -> str:
    """A name without `.csv` or `.html`: each format adds its own."""
    for ending in (".csv", ".html", ".htm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name
