"""`report`: keeps a report about a project up to date, on disk or as a file of the project.

Follows the present state: its once-key is made of the state of what the report reads, so that a change below the
project asks for a new one. What comes out is compared with the file that is there: equal content is never written or
sent again, so that doing it twice changes nothing. On disk, a file is replaced as a whole or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, model_validator

from flyball.effects.common import Entry, Params, container_json, reads_of
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Blame, Effect, Outcome, Report
from flyball.model.errors import Permanent
from flyball.model.levels import Level
from flyball.reports.kinds import LEVELS, READS, KindWord
from flyball.reports.making import Order, plots_possible
from flyball.reports.qc_judging import cut_json
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.keys import once_key
from flyball.rules.profiles import Profile
from flyball.rules.reading.fields import OneOrMany
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

Form = Literal["csv", "html"]
Place = Literal["project", "disk"]
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
    name: Template | None
    rests_on: frozenset[Level]
    profiles: tuple[Profile, ...] = ()

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, explained."""
        yield from Entry.because(self, moment)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One report, made anew when its key is another one."""
        document, asked = moment.document, self.params
        slot = f"{self.index}.report"
        container = container_json(document, Level.PROJECT)
        want = self.want(moment)
        if container is None or want is not Verdict.YES:
            yield Wish(self.kind, want if container is not None else Verdict.UNKNOWN, {}, "", "", slot)
            return
        group, _, label = str(container["path"]).partition("/")
        own = f"{label}_{asked.gear}_status" if asked.gear else f"{label}_{asked.kind}"
        name = without_ending(self.name.render(moment.context.names) if self.name is not None else own)
        state = document.summary.state if document.summary is not None else ""
        params = {
            "container": container,
            "report": asked.kind,
            "gear": asked.gear or "",
            "cuts": self._cuts(container["path"]),
            "format": list(asked.format),
            "to": list(asked.to),
            "name": name,
            "path": name if self.name is not None else f"reports/{group}/{name}",
            "state": state,
        }
        key = once_key(moment.rule_id, document.target.id, self.kind, params, moment.generation)
        what = f"{asked.kind} of {asked.gear}" if asked.gear else asked.kind
        summary = f"report {what}  {container['path']}"
        yield Wish(self.kind, want, params, key, summary, slot, lane=f"report/{container['id']}/{name}")

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
        name = None if params.name is None else compiler.template(params.name, ("name",))
        known = compiler.profile
        profiles = tuple(known(profile, ("profile",)) for profile in params.profile) if known is not None else ()
        reads = reads_of(when, name) | READS[params.kind]
        return ReportEntry(self.name, index, when, reads, params, name, frozenset(LEVELS[params.kind]), profiles)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Make the report from the mirror as it is now, and put it where it differs from what is there."""
        asked = effect.params
        if not asked.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted")
        if "html" in asked["format"] and not plots_possible():
            raise Permanent(LACKS_PLOTS)
        reports, container = hands.reports, asked["container"]
        if reports is None:
            raise Permanent("there is no folder to make reports in")
        if wait := reports.full():
            return Report(Outcome.TRANSIENT, error="waits for its turn", wait=wait, blame=Blame.NOBODY)
        order = Order(asked["report"], container["path"], asked["gear"], asked["cuts"])
        written: list[dict[str, Any]] = []
        async with reports.made(order, container["id"], asked["format"]) as made:
            for form, path in made.files.items():
                if "disk" in asked["to"]:
                    written.append(await reports.keep(path, f"{asked['path']}.{form}"))
                if "project" in asked["to"]:
                    written.append(await reports.send(path, container["id"], f"{file_name(asked['name'])}.{form}"))
            changed = any(one["changed"] for one in written)
            detail = {"files": written, "rows": made.rows, "numbers": made.numbers}
        return Report(Outcome.DONE if changed else Outcome.ALREADY, detail)


def without_ending(name: str) -> str:
    """A name without `.csv` or `.html`: each format adds its own."""
    for ending in (".csv", ".html", ".htm"):
        if name.lower().endswith(ending):
            return name[: -len(ending)]
    return name


def file_name(name: str) -> str:
    """The name of a file on the site: no slashes (they break later calls there), nothing that does not print."""
    shown = "".join(character if character.isprintable() and character not in "/\\" else "_" for character in name)
    return shown.strip()[:180] or "report"
