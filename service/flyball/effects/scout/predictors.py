"""`neuroscout.predictors`: what a rule asks for when it wants predictors of its own. Carrying it out is in
`predicting`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field, model_validator

from flyball.configfile.durations import Duration, within
from flyball.effects.common import Entry, Params, reads_of
from flyball.effects.launch import file_reference
from flyball.effects.scout.destination import NEUROSCOUT_ONLY, destination, file_named
from flyball.effects.scout.port import PREDICTORS
from flyball.effects.scout.predicting import Predicting
from flyball.effects.scout.texts import compiled, filled, templates_in
from flyball.model.decision import Because, Verdict, Wish
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown, is_unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver

LONGEST_NAME = 200


class RunsForm(Params):
    """The runs of the dataset that an events file is about; what is left out means all."""

    task: str | list[str] | None = Field(default=None, description="Name of the task, or names.")
    number: int | str | list[int | str] | None = Field(default=None, description="Number of the run, or numbers.")
    subjects: list[str] = Field(default_factory=list, description="Labels of the subjects; all by default.")
    session: str | list[str] | None = Field(default=None, description="Label of the session, or labels.")


class EventsForm(Params):
    """One events file with its runs."""

    file: str | None = Field(default=None, min_length=1, description="Template of a path below the config folder.")
    from_: str | None = Field(
        default=None,
        alias="from",
        min_length=1,
        description="Expression giving a file on the rule's Flywheel site: `file`, `events[0]`, `analysis.files[0]`.",
    )
    runs: RunsForm = Field(default=RunsForm(), description="The runs that it is about.")

    @model_validator(mode="after")
    def _one_source(self) -> EventsForm:
        if (self.file is None) == (self.from_ is None):
            raise ValueError("an events file is named by `file` (in the config folder) or `from` (on Flywheel)")
        return self


class PredictorsParams(Params):
    """Parameters of `neuroscout.predictors`."""

    site: str | None = Field(default=None, description="The Neuroscout site; by default the only one.")
    name: str = Field(min_length=1, description="Template of the collection's name; the once-key is appended.")
    dataset: str = Field(min_length=1, description="Template of the dataset's name.")
    files: Annotated[
        list[EventsForm], Field(min_length=1, description="The events files, each with the runs it is about.")
    ]
    descriptions: dict[str, str] = Field(default_factory=dict, description="Column → template of its description.")
    wait: Annotated[Duration, within("1s")] = Field(
        default=timedelta(hours=2), description="How long the server may take before the upload counts as stuck."
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """Where one file comes from."""

    file: Any  # a text or a template
    known: str  # what its content was when the rules were read; empty: not known
    expression: Expression | None
    runs: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PredictorsEntry(Entry):
    """A compiled `neuroscout.predictors` entry."""

    scout: str
    name: Any
    dataset: Any
    sources: tuple[_Source, ...]
    descriptions: Mapping[str, Any]
    wait: float
    local: Mapping[str, str] = field(default_factory=dict)  # file → hash of what it held when the rules were read
    names: tuple[str, ...] = ()

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`; and what is missing for the upload."""
        yield from Entry.because(self, moment)
        values = self._values(moment)
        if isinstance(values, Unknown):
            yield Because(f"files of the {self.kind}", "unknown", {}, values.reason)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One collection."""
        slot = f"{self.index}.predictors"
        want, values = self.want(moment), self._values(moment)
        if isinstance(values, Unknown):
            want = Verdict.UNKNOWN if want is Verdict.YES else want
            yield Wish(self.kind, want, {}, "", f"predictors on {self.scout}", slot, values.reason)
            return
        target = moment.document.target
        keyed = {
            "name": values["name"],
            "dataset": values["dataset"],
            "descriptions": values["descriptions"],
            "files": [_identity(file) for file in values["files"]],
        }
        key = once_key(moment.rule_id, target.id, self.kind, self.scout, keyed, moment.generation)
        params = {"scout": self.scout, **values, "wait": self.wait}
        files = ", ".join(str(file.get("file") or file["from"]["name"]) for file in values["files"])
        yield Wish(self.kind, want, params, key, f"upload predictors {values['name']!r}  {files}", slot)

    def _values(self, moment: Moment) -> dict[str, Any] | Unknown:
        plain = {"name": self.name, "dataset": self.dataset, "descriptions": self.descriptions}
        found = filled(plain, moment.context.names)
        if isinstance(found, Unknown):
            return found
        values: dict[str, Any] = dict(found)
        fault = name_fault(str(values["name"]))
        if fault:
            return Unknown(f"name {values['name']!r}: {fault}", "unusable")
        files = []
        for source in self.sources:
            file = _file(source, moment)
            if isinstance(file, Unknown):
                return file
            files.append(file)
        return {**values, "files": files}


def _file(source: _Source, moment: Moment) -> dict[str, Any] | Unknown:
    runs = _runs(filled(source.runs, moment.context.names))
    if isinstance(runs, Unknown):
        return runs
    if source.expression is None:
        path = filled(source.file, moment.context.names)
        return path if isinstance(path, Unknown) else {"file": path, "digest": source.known, "runs": runs}
    value = source.expression.value(moment.context)
    if is_unknown(value):
        return value
    one = value[0] if isinstance(value, list) and len(value) == 1 else value
    reference = file_reference(one) or _output(one, moment)
    if reference is None:
        return Unknown(f"{source.expression.source} gives no file", "unusable")
    return {"from": reference, "runs": runs}


def _output(value: Any, moment: Moment) -> dict[str, Any] | None:
    """The reference of an output of the analysis that the rule looks at: such a file does not name its container."""
    node = moment.document.node
    if not isinstance(value, Mapping) or "name" not in value or str(node.level) != "analysis":
        return None
    return file_reference({**value, "parent_ref": {"type": "analysis", "id": node.id}})


def _runs(values: Any) -> dict[str, Any] | Unknown:
    if isinstance(values, Unknown):
        return values
    numbers = []
    for value in values["numbers"]:
        try:
            numbers.append(int(value))
        except ValueError:
            return Unknown(f"runs: {str(value)[:40]!r} is no run number", "unusable")
    return {**values, "numbers": numbers}


def _identity(file: Mapping[str, Any]) -> list[Any]:
    """What makes it this file: its content, or which version of which file it is."""
    reference = file.get("from")
    if reference is not None:
        return [reference["file_id"], reference["version"], file["runs"]]
    return [file["file"], file["digest"], file["runs"]]


def name_fault(name: str) -> str:
    """Why a collection cannot have this name; empty: it can."""
    if "/" in name:
        return "a collection's name holds no slash: the server breaks off there"
    if not name.strip() or len(name) > LONGEST_NAME:
        return f"a name has 1 to {LONGEST_NAME} characters"
    return ""


class Predictors(Predicting):
    """The effect kind."""

    name = PREDICTORS
    params = PredictorsParams
    over = WhenOver.LEAVE
    sites = NEUROSCOUT_ONLY

    def compile(
        self, params: PredictorsParams, when: Expression | None, index: int, compiler: Compiler
    ) -> PredictorsEntry:
        """Compile templates and expressions; note what the files hold now."""
        scout = destination(params.site, compiler)
        fault = name_fault(params.name) if "{" not in params.name else ""
        if fault:
            raise Fault(("name",), fault)
        sources = tuple(_source(form, ("files", number), compiler) for number, form in enumerate(params.files))
        name = compiled(params.name, ("name",), compiler)
        dataset = compiled(params.dataset, ("dataset",), compiler)
        descriptions = compiled(params.descriptions, ("descriptions",), compiler)
        templates = templates_in([name, dataset, descriptions, *((one.file, one.runs) for one in sources)])
        reads = reads_of(when, *templates, *(one.expression for one in sources))
        return PredictorsEntry(
            self.name,
            index,
            when,
            reads,
            scout,
            name,
            dataset,
            sources,
            descriptions,
            params.wait.total_seconds(),
            local={one.file: one.known for one in sources if one.known},
            names=(params.dataset,),
        )


def _source(form: EventsForm, path: tuple[str | int, ...], compiler: Compiler) -> _Source:
    runs = {
        "tasks": _listed(form.runs.task),
        "numbers": _listed(form.runs.number),
        "subjects": form.runs.subjects,
        "sessions": _listed(form.runs.session),
    }
    built = compiled(runs, (*path, "runs"), compiler)
    if form.from_ is not None:
        return _Source(None, "", compiler.expression(form.from_, (*path, "from")), built)
    file = compiled(form.file, (*path, "file"), compiler)
    known = ""
    if isinstance(file, str):
        known = file_named(file, (*path, "file"), compiler).sha256
    return _Source(file, known, None, built)


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]
