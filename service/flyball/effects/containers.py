"""`containers`: makes subjects, sessions and acquisitions for the rows of a CSV file of the config folder.

One effect a row. Safe against doubles: each container is looked for by its label below its parent before it is made,
after an unclear end twice; rows about one subject are carried out one after another. A row with a fault is an effect
that fails with its line and the reason; the good rows go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator

from flyball.effects.common import MAX_LABEL, Entry, Params, container_json, reads_of
from flyball.effects.lending import lent
from flyball.effects.port import Hands
from flyball.effects.rows import Row, RowFault, read_table, value_of
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import ConfigError, Permanent
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

SHOWN: Final = 20
ORDER: Final = ("subject", "session", "acquisition")
Json = Mapping[str, Any]


class SubjectForm(Params):
    """A subject's fields, as templates over `row`."""

    label: str = Field(min_length=1, description="Template of the label; it says which subject it is.")
    sex: str | None = Field(default=None, description="Template: female, male, other, unknown, or their first letter.")
    firstname: str | None = Field(default=None, description="Template.")
    lastname: str | None = Field(default=None, description="Template.")
    cohort: str | None = Field(default=None, description="Template.")
    type: str | None = Field(default=None, description="Template.")
    species: str | None = Field(default=None, description="Template.")
    race: str | None = Field(default=None, description="Template.")
    ethnicity: str | None = Field(default=None, description="Template.")
    date_of_birth: str | None = Field(default=None, description="Template of a date.")
    info: dict[str, str] = Field(default_factory=dict, description="Key → template.")


class SessionForm(Params):
    """A session's fields, as templates over `row`."""

    label: str = Field(min_length=1, description="Template of the label; it says which session of the subject it is.")
    age: str | None = Field(default=None, description="Template of a number, in `age_unit`.")
    timestamp: str | None = Field(default=None, description="Template of a time.")
    timezone: str | None = Field(default=None, description="Template.")
    operator: str | None = Field(default=None, description="Template.")
    weight: str | None = Field(default=None, description="Template of a number, in kg.")
    uid: str | None = Field(default=None, description="Template.")
    info: dict[str, str] = Field(default_factory=dict, description="Key → template.")


class AcquisitionForm(Params):
    """An acquisition's fields, as templates over `row`."""

    label: str = Field(
        min_length=1, description="Template of the label; it says which acquisition of the session it is."
    )
    timestamp: str | None = Field(default=None, description="Template of a time.")
    timezone: str | None = Field(default=None, description="Template.")
    uid: str | None = Field(default=None, description="Template.")
    info: dict[str, str] = Field(default_factory=dict, description="Key → template.")


class ContainersParams(Params):
    """Parameters of `containers`."""

    csv: str = Field(min_length=1, description="A CSV file of the config folder; its first row names the columns.")
    subject: SubjectForm = Field(description="The subject of a row.")
    session: SessionForm | None = Field(default=None, description="The session of a row.")
    acquisition: AcquisitionForm | None = Field(default=None, description="The acquisition of a row.")
    dates: str | None = Field(
        default=None, description="How times are written, as `%m/%d/%Y %H:%M`. Default: ISO 8601."
    )
    zone: str | None = Field(default=None, description="Zone of times that name none, as `America/New_York`.")
    age_unit: Literal["years", "months", "weeks", "days", "seconds"] = Field(
        default="years", description="What ages are in; a year is 365.25 days."
    )

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError(f"there is no zone {value!r}; write it as America/New_York") from None
        return value


@dataclass(frozen=True, slots=True)
class Maker:
    """How one level's container is made of a row."""

    level: str
    fields: Mapping[str, Template]
    info: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class ContainersEntry(Entry):
    """A compiled `containers` entry.

    Attributes:
        file: the table.
        local: the file → its hash when the rule was read.
    """

    file: str
    table: tuple[Row, ...]
    makers: tuple[Maker, ...]
    dates: str | None
    zone: str | None
    unit: str
    local: Mapping[str, str]

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, how many rows there are, and what is wrong with which."""
        yield from Entry.because(self, moment)
        faults = [f"line {row.line}: {made}" for row, made in self._made(moment) if isinstance(made, str)]
        told = {"rows": len(self.table), "faults": faults[:SHOWN]}
        yield Because(f"rows of {self.file}", "unknown" if faults else "true", told)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One wish a row."""
        project = container_json(moment.document, Level.PROJECT)
        if project is None:
            return
        want = self.want(moment)
        for row, made in self._made(moment) if want is Verdict.YES else ():
            fault = made if isinstance(made, str) else ""
            steps = [] if isinstance(made, str) else made
            labels = "/".join(str(step["body"]["label"]) for step in steps)
            params: dict[str, Any] = {"container": project, "steps": steps, "line": row.line, "file": self.file}
            params["lane"] = f"containers/{project['id']}/{steps[0]['body']['label'] if steps else ''}"
            if fault:
                params["fault"] = f"{self.file} line {row.line}: {fault}"
            key = once_key("containers", moment.rule_id, project["id"], steps, params.get("fault"), moment.generation)
            summary = f"containers {project['path']}/{labels}" if steps else f"containers {params['fault']}"
            yield Wish(self.kind, want, params, key, summary, f"{self.index}.{key[3:19]}")

    def _made(self, moment: Moment) -> Iterator[tuple[Row, list[dict[str, Any]] | str]]:
        """Each row with what is to be made of it, or what is wrong with it."""
        for row in self.table:
            if row.fault:
                yield row, row.fault
                continue
            names = {**moment.context.names, "row": dict(row.cells)}
            try:
                yield row, [self._step(maker, names) for maker in self.makers]
            except RowFault as fault:
                yield row, str(fault)

    def _step(self, maker: Maker, names: Json) -> dict[str, Any]:
        body: dict[str, Any] = {}
        for field, template in maker.fields.items():
            text = template.fill(names)
            if isinstance(text, Unknown) or not text.strip():
                if field == "label":
                    raise RowFault(f"the {maker.level} has no label")
                continue
            body[field] = value_of(field, text.strip(), form=self.dates, zone=self.zone, unit=self.unit)
        if len(body["label"]) > MAX_LABEL:
            raise RowFault(f"the {maker.level}'s label has more than {MAX_LABEL} characters")
        info = {key: text for key, one in maker.info.items() if not isinstance(text := one.fill(names), Unknown)}
        return {"level": maker.level, "body": body | ({"info": info} if info else {})}


class Containers:
    """The effect kind."""

    name = "containers"
    params = ContainersParams
    over = WhenOver.LEAVE

    def compile(
        self, params: ContainersParams, when: Expression | None, index: int, compiler: Compiler
    ) -> ContainersEntry:
        """Read the table and compile the templates."""
        if compiler.each is not Level.PROJECT:
            raise Fault((), "containers are made in a project: use `each: project`, with the project in `scope`")
        if params.acquisition is not None and params.session is None:
            raise Fault(("acquisition",), "an acquisition needs a `session`")
        makers = []
        for level in ORDER:
            form = getattr(params, level)
            if form is None:
                continue
            fields = {
                name: compiler.template_of_row(text, (level, name))
                for name in type(form).model_fields
                if name != "info" and (text := getattr(form, name)) is not None
            }
            info = {key: compiler.template_of_row(text, (level, "info", key)) for key, text in form.info.items()}
            makers.append(Maker(level, fields, info))
        local = compiler.local(params.csv, ("csv",))
        try:
            table = tuple(read_table(local.content())) if local.sha256 else ()
        except (RowFault, ConfigError) as fault:
            raise Fault(("csv",), f"{params.csv}: {fault}") from None
        templates = [one for maker in makers for one in (*maker.fields.values(), *maker.info.values())]
        reads = frozenset(path for path in reads_of(when, *templates) if path[0] != "row")
        given = (params.dates, params.zone, params.age_unit, {params.csv: local.sha256})
        return ContainersEntry(self.name, index, when, reads, params.csv, table, tuple(makers), *given)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt: from the top down, what is not there is made."""
        params, making = effect.params, lent(hands.making, "the making of containers")
        if "fault" in params:
            raise Permanent(str(params["fault"]))
        project = str(params["container"]["id"])
        parent = ("project", project)
        made: list[str] = []
        found: dict[str, str] = {}
        for step in params["steps"]:
            level, body = step["level"], step["body"]
            there = await making.children(level, parent, body["label"], fresh=bool(effect.unclear))
            if there:
                ident = there[0]
            elif effect.wants_another_look:
                return Report(Outcome.UNKNOWN, error=f"the site does not show the {level} yet", looked=True)
            elif not effect.params.get("wanted", True):
                return Report(Outcome.SUPERSEDED, error="no longer wanted")
            else:
                ident = await making.make(level, _with_parent(level, body, parent[1], project))
                made.append(level)
            found[level] = ident
            parent = (level, ident)
        detail = {"made": made, **found}
        return Report(Outcome.DONE if made or effect.unclear else Outcome.ALREADY, detail)


def _with_parent(level: str, body: Json, parent: str, project: str) -> dict[str, Any]:
    """The body as the official SDK sends it (SDK 23 wire)."""
    if level == "subject":
        return {**body, "project": project}
    if level == "session":
        return {**body, "project": project, "subject": {"_id": parent}}
    return {**body, "session": parent}
