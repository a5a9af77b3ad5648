"""`neuroscout.analysis`: what a rule asks for when it wants an analysis. Carrying it out is in `analysing`.

Safe against doubles: the once-key stands in the description, and the own analyses are listed for it before one is made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from pydantic import Field, model_validator

from flyball.configfile.durations import Duration, within
from flyball.effects.common import Entry, Params, reads_of
from flyball.effects.scout.analysing import Analysing
from flyball.effects.scout.destination import NEUROSCOUT_ONLY, destination, file_named
from flyball.effects.scout.model import variables_of
from flyball.effects.scout.port import ANALYSIS
from flyball.effects.scout.texts import compiled, filled, templates_in
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.errors import ConfigError
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression, Unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver

_TEXTS = ("name", "dataset", "description", "predictors", "subjects", "tasks", "sessions", "runs", "hrf")
_STRUCTURES = ("contrasts", "transformations", "model")
_KEYED = (*_TEXTS, *_STRUCTURES, "dummy_contrasts", "private", "compile", "report", "bundle")
"""What makes it another analysis, or the same one with another content."""


class AnalysisParams(Params):
    """Parameters of `neuroscout.analysis`."""

    site: str | None = Field(default=None, description="The Neuroscout site; by default the only one.")
    name: str = Field(min_length=1, description="Template of the analysis' name.")
    dataset: str = Field(min_length=1, description="Template of the dataset's name.")
    predictors: list[str] = Field(
        default_factory=list,
        description="Names of predictors: public ones plainly, own custom ones as `collection/name`. With `model`, "
        "those that the model names, by default.",
    )
    subjects: list[str] = Field(default_factory=list, description="Labels of subjects; all by default.")
    tasks: list[str] = Field(default_factory=list, description="Names of tasks; all by default.")
    runs: list[int | str] = Field(default_factory=list, description="Numbers of runs; all by default.")
    sessions: list[str] = Field(default_factory=list, description="Labels of sessions; all by default.")
    contrasts: list[dict[str, Any]] = Field(
        default_factory=list, description="Contrasts of the run level: {Name, ConditionList, Weights, Test}."
    )
    dummy_contrasts: bool | Literal["hrf"] = Field(
        default=True, description="One contrast a predictor; `hrf`: only for those that are convolved."
    )
    hrf: list[str] = Field(
        default_factory=list, description="Predictors to convolve with the haemodynamic response function."
    )
    transformations: list[dict[str, Any]] = Field(
        default_factory=list, description="Transformations of the run level: {Name, Input, …}."
    )
    model: str | dict[str, Any] | None = Field(
        default=None, description="A whole BIDS Stats Model: a JSON file in the config folder, or written here."
    )
    description: str = Field(default="", description="Template of the description; the once-key is appended.")
    private: bool = Field(default=True, description="Hidden from the lists of others.")
    compile: bool = Field(
        default=True, description="Compile it, with the model run through pybids, and wait for the end."
    )
    report: bool = Field(default=False, description="Have the design matrix reports made once it has passed.")
    bundle: str | None = Field(
        default=None, min_length=1, description="Template of a folder below `data` to save the bundle in."
    )
    on_locked: Literal["new", "fail"] = Field(
        default="new", description="When it can be edited no more: make a new one with the whole content, or fail."
    )
    wait: Annotated[Duration, within("1s")] = Field(
        default=timedelta(hours=6), description="How long the server may take to compile before it counts as stuck."
    )

    @model_validator(mode="after")
    def _consistent(self) -> AnalysisParams:
        if not self.predictors and self.model is None:
            raise ValueError("an analysis needs `predictors`, or a whole `model` that names them")
        if self.model is not None and (self.contrasts or self.transformations or self.hrf):
            raise ValueError("a whole `model` holds its contrasts and transformations itself; write them there")
        if not self.compile and (self.report or self.bundle):
            raise ValueError("reports and bundles are of compiled analyses; set `compile: true`")
        missing = [name for name in self.hrf if name not in self.predictors]
        if missing:
            raise ValueError(f"`hrf` names {', '.join(missing)}, which `predictors` does not")
        return self


@dataclass(frozen=True, slots=True)
class AnalysisEntry(Entry):
    """A compiled `neuroscout.analysis` entry."""

    scout: str
    parts: Mapping[str, Any]  # parameter → its value with templates compiled
    wait: float
    on_locked: str
    local: Mapping[str, str] = field(default_factory=dict)  # file → hash of what it held when the rules were read
    names: tuple[str, ...] = field(default=())  # as written, for `check --online`

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`; and which value a name lacks."""
        yield from Entry.because(self, moment)
        values = self._values(moment)
        if isinstance(values, Unknown):
            yield Because(f"name of the {self.kind}", "unknown", {}, values.reason)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One analysis."""
        slot = f"{self.index}.analysis"
        target = moment.document.target
        want, values = self.want(moment), self._values(moment)
        if isinstance(values, Unknown):
            want = Verdict.UNKNOWN if want is Verdict.YES else want
            yield Wish(self.kind, want, {}, "", f"analysis on {self.scout}", slot, values.reason)
            return
        keyed = {name: values[name] for name in _KEYED if name in values}
        key = once_key(moment.rule_id, target.id, self.kind, self.scout, keyed, moment.generation)
        params = {"scout": self.scout, **values, "wait": self.wait, "on_locked": self.on_locked}
        verb = "compile" if values["compile"] else "draft"
        summary = f"{verb} analysis {values['name']!r}  {values['dataset']}: {', '.join(values['predictors'])}"
        yield Wish(self.kind, want, params, key, summary, slot)

    def _values(self, moment: Moment) -> dict[str, Any] | Unknown:
        """The parameters with their templates filled in, or what is missing for it."""
        values = filled(self.parts, moment.context.names)
        if isinstance(values, Unknown):
            return values
        found: dict[str, Any] = dict(values)
        numbers: list[int] = []
        for value in found["runs"]:
            try:
                numbers.append(int(value))
            except ValueError:
                return Unknown(f"runs: {str(value)[:40]!r} is no run number", "unusable")
        found["runs"] = numbers
        empty = next((name for name in ("name", "dataset") if not str(found[name]).strip()), None)
        return Unknown(f"{empty} is empty", "unusable") if empty else found


class Analysis(Analysing):
    """The effect kind."""

    name = ANALYSIS
    params = AnalysisParams
    over = WhenOver.LEAVE
    sites = NEUROSCOUT_ONLY

    def compile(self, params: AnalysisParams, when: Expression | None, index: int, compiler: Compiler) -> AnalysisEntry:
        """Compile the templates, and read the model."""
        scout = destination(params.site, compiler)
        model, read = _model(params.model, compiler)
        predictors = params.predictors
        if not predictors and model is not None:
            predictors = variables_of(model)
            if not predictors:
                raise Fault(("model",), "the model's run level names no variables (`Steps[0].Model.X`)")
        plain: dict[str, Any] = {
            **{name: getattr(params, name) for name in (*_TEXTS, *_STRUCTURES, "bundle")},
            "predictors": predictors,
            "model": model,
        }
        parts = {name: compiled(value, (name,), compiler) for name, value in plain.items()}
        parts |= {name: getattr(params, name) for name in ("dummy_contrasts", "private", "compile", "report")}
        reads = reads_of(when, *templates_in(parts))
        wait = params.wait.total_seconds()
        names = (params.dataset, *predictors)
        return AnalysisEntry(
            self.name, index, when, reads, scout, parts, wait, params.on_locked, local=read, names=names
        )


def _model(given: str | Mapping[str, Any] | None, compiler: Compiler) -> tuple[dict[str, Any] | None, dict[str, str]]:
    """The whole model, and its file with the hash of its content.

    Raises:
        Fault: there is no such file, or it holds no model.
    """
    if given is None:
        return None, {}
    if not isinstance(given, str):
        return dict(given), {}
    file = file_named(given, ("model",), compiler)
    if not file.sha256:
        return {"Steps": [{"Level": "Run", "Model": {"X": []}}]}, {}
    try:
        model = orjson.loads(file.content())
    except (orjson.JSONDecodeError, ConfigError) as error:
        raise Fault(("model",), f"{given} is no JSON: {error}") from error
    if not isinstance(model, dict) or not isinstance(model.get("Steps"), list):
        raise Fault(("model",), f"{given} is no BIDS Stats Model: it has no list `Steps`")
    return model, {given: file.sha256}
