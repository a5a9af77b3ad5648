"""The structure of a rule, as pydantic models: for checking, for the JSON Schema and for the documentation.

Expressions and effects' parameters are checked afterwards, when it is known which names the rule has.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, field_validator, model_validator

from flyball.configfile.durations import Duration
from flyball.configfile.schema import Also
from flyball.rules.reading.cron import check_cron, check_zone
from flyball.rules.reading.fields import ExpressionText, Glob, OneOrMany, RegexText, SinceField, Slug, Word
from flyball.rules.rule import Since

EachWord = Literal["file", "acquisition", "session", "subject", "project", "job", "analysis", "matrix"]
ModeWord = Literal["live", "shadow", "approve", "paused"]
OverWord = Literal["retract", "resolve", "leave"]
JobState = Literal["complete", "failed", "cancelled"]
AnalysisStatus = Literal["DRAFT", "PENDING", "PASSED", "FAILED"]


class Form(BaseModel):
    """Base of all parts: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=False)


class TriggerForm(Form):
    """A trigger with a parameter: exactly one of `job`, `schedule`, `webhook`, `analysis`."""

    job: OneOrMany[JobState] | None = Field(default=None, description="A gear job reached one of these states.")
    gear: OneOrMany[Glob] | None = Field(default=None, description="With `job`: globs of gear names; all by default.")
    schedule: str | None = Field(default=None, description="Five crontab fields: minute hour day month weekday.")
    zone: str | None = Field(default=None, description="With `schedule`: an IANA time zone; UTC by default.")
    webhook: Slug | None = Field(default=None, description="A delivery came to this hook of the settings.")
    analysis: OneOrMany[AnalysisStatus] | None = Field(
        default=None, description="An own Neuroscout analysis reached one of these statuses."
    )

    @field_validator("schedule")
    @classmethod
    def _crontab(cls, value: str | None) -> str | None:
        return None if value is None else check_cron(value)

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str | None) -> str | None:
        return None if value is None else check_zone(value)

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [name for name in ("job", "schedule", "webhook", "analysis") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("a trigger is exactly one of job, schedule, webhook, analysis; write one entry for each")
        if self.gear is not None and self.job is None:
            raise ValueError("`gear` belongs to `job`: {job: [complete], gear: [name]}")
        if self.zone is not None and self.schedule is None:
            raise ValueError('`zone` belongs to `schedule`: {schedule: "0 4 * * *", zone: Europe/Paris}')
        if self.analysis is not None and not self.analysis:
            raise ValueError("`analysis` names no status; there are DRAFT, PENDING, PASSED, FAILED")
        if self.job is not None and not self.job:
            raise ValueError("`job` names no state; there are complete, failed, cancelled")
        return self


def _trigger_kind(value: Any) -> str:
    return "with parameter" if isinstance(value, (dict, TriggerForm)) else "word"


TriggerEntry = Annotated[
    Annotated[Literal["changed", "startup"], Tag("word")] | Annotated[TriggerForm, Tag("with parameter")],
    Discriminator(_trigger_kind),
]


class ScopeForm(Form):
    """Globs by level; `!` before a glob excludes."""

    project: OneOrMany[Glob] | None = Field(default=None, description="Globs of `group/label`.")
    subject: OneOrMany[Glob] | None = Field(default=None, description="Globs of subject labels.")
    session: OneOrMany[Glob] | None = Field(default=None, description="Globs of session labels.")
    acquisition: OneOrMany[Glob] | None = Field(default=None, description="Globs of acquisition labels.")
    file: OneOrMany[Glob] | None = Field(default=None, description="Globs of file names.")
    gear: OneOrMany[Glob] | None = Field(default=None, description="Globs of gear names, for jobs and analyses.")

    @field_validator("project")
    @classmethod
    def _with_group(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for glob in value or ():
            if "/" not in glob and glob.lstrip("!") != "*":
                raise ValueError(f"{glob!r} names no group; write group/label, for instance {glob}/* or */{glob}")
        return value


class SelectForm(Form):
    """A named list of what lies below the target."""

    files: ExpressionText | None = Field(default=None, description="Condition on each file below the target.")
    acquisitions: ExpressionText | None = Field(default=None, description="Condition on each acquisition below it.")
    search: Annotated[str, Field(min_length=1)] | None = Field(
        default=None, description="A structured query for the site's search; its hits are read again before use."
    )
    returns: Literal["subject", "session", "acquisition", "file"] | None = Field(
        default=None, description="With `search`: what it finds; must lie below the target."
    )
    order: OneOrMany[ExpressionText] | None = Field(
        default=None, description="Sort keys, ascending, nulls last. Without any: by creation, then id."
    )
    max: Annotated[int, Field(ge=1)] | None = Field(default=None, description="At most so many, the first ones.")

    @model_validator(mode="after")
    def _one_thing(self) -> Self:
        given = [one for one in (self.files, self.acquisitions, self.search) if one is not None]
        if len(given) != 1:
            raise ValueError(
                "a selection has exactly one of `files` and `acquisitions`, with its condition, or `search`"
            )
        if (self.search is None) != (self.returns is None):
            raise ValueError("`search` and `returns` go together: {search: 'acquisition.label = T1w', returns: file}")
        return self


def _labelled(value: Any) -> Any:
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"a label is text; write {value} in quotes")  # noqa: TRY004 - pydantic takes ValueError
    return {"label": value} if isinstance(value, str) else value


class ExpectedForm(Form):
    """One acquisition of the plan."""

    label: str | None = Field(default=None, min_length=1, description="The acquisition's label, exactly.")
    match: RegexText | None = Field(default=None, description="Regular expression that is found in the label.")
    count: Annotated[int, Field(ge=0)] | None = Field(default=None, description="Exactly so many.")
    at_least: Annotated[int, Field(ge=0)] | None = Field(default=None, description="No fewer than so many.")
    at_most: Annotated[int, Field(ge=0)] | None = Field(default=None, description="No more than so many.")
    title: str | None = Field(default=None, min_length=1, description="What stands in `missing`.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.label is None) == (self.match is None):
            raise ValueError("an expected acquisition has exactly one of `label` and `match`")
        if self.count is not None and (self.at_least is not None or self.at_most is not None):
            raise ValueError("`count` says it all; leave `at_least` and `at_most` out")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"`at_least` {self.at_least} is more than `at_most` {self.at_most}")
        return self


class ExpectForm(Form):
    """What should be there."""

    acquisitions: Annotated[
        tuple[Annotated[ExpectedForm, BeforeValidator(_labelled), Also({"type": "string"})], ...],
        Field(min_length=1, description="Labels, or {label/match, count, at_least, at_most, title}."),
    ]


class LimitsForm(Form):
    """Caps on a rule's launches."""

    running: Annotated[int, Field(ge=1)] | None = Field(
        default=None, description="Jobs of this rule that have not ended on the site."
    )
    per_day: Annotated[int, Field(ge=1)] | None = Field(default=None, description="Launches in any 24 hours.")
    canary: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The first launches of a version of the rule; the rest wait for approval."
    )


class RetryForm(Form):
    """Repetition after transient failures."""

    attempts: Annotated[int, Field(ge=1, le=1000)] = Field(default=8, description="Tries in all.")
    backoff: Annotated[tuple[Duration, ...], Field(min_length=2, max_length=2)] = Field(
        default=(timedelta(seconds=30), timedelta(hours=1)), description="First and longest pause between two tries."
    )

    @field_validator("backoff")
    @classmethod
    def _rising(cls, value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
        if not timedelta(0) < value[0] <= value[1]:
            raise ValueError("the first pause is more than 0, and no longer than the longest: [30s, 1h]")
        return value


class RuleTestForm(Form):
    """One test of a rule."""

    name: str = Field(default="", description="What it shows.")
    given: dict[str, Any] | str = Field(description="Map of level to document, or the name of a file of that shape.")
    expect: dict[str, Any] = Field(description="{decision: yes/no/unknown, effects: [{kind, …}]}")


class Common(Form):
    """Keys that a rule has, and that `defaults` may set for all rules of a file."""

    site: str | None = Field(default=None, description="Name of a site; the only one of the fitting kind by default.")
    trigger: OneOrMany[TriggerEntry] = Field(
        default=("changed",), description="When the rule looks: changed, startup, {job}, {schedule}, {webhook}."
    )
    scope: ScopeForm = Field(default=ScopeForm(), description="Globs by level; everything by default.")
    settle: Duration = Field(
        default=timedelta(0), description="Decide only after everything at and below the target was quiet for so long."
    )
    when_over: OverWord | None = Field(
        default=None, description="Once the condition turns false. By kind: tag retract, alert resolve, else leave."
    )
    since: SinceField = Field(default=Since(), description="now: data newer than the rule; a date (midnight UTC); all.")
    mode: ModeWord = Field(
        default="live", description="shadow decides and records only; approve holds effects for a person; paused."
    )
    limits: LimitsForm = Field(default=LimitsForm(), description="Caps on launches; none by default.")
    retry: RetryForm | None = Field(default=None, description="After transient failures; by kind of effect by default.")

    @field_validator("trigger")
    @classmethod
    def _some_trigger(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        if not value:
            raise ValueError("no trigger is given, so the rule would never look; leave the key out for `changed`")
        return value


class DefaultsForm(Common):
    """`defaults` of a rule file."""

    notify: str | None = Field(default=None, description="The alert channel of alerts that name none.")


class RuleForm(Common):
    """One rule."""

    id: Slug = Field(description="Unique name of the rule, for people and addresses.")
    title: str | None = Field(default=None, description="One line for people; the id by default.")
    each: EachWord = Field(description="What the rule looks at, one by one: file, acquisition, session, subject, …")
    matrix: dict[Word, OneOrMany[Any]] | None = Field(
        default=None, description="Key → values; expands the rule into one per combination. A value may be a map."
    )
    let: dict[Word, ExpressionText] = Field(default={}, description="Named expressions.")
    select: dict[Word, SelectForm] = Field(default={}, description="Named lists of what lies below the target.")
    expect: ExpectForm | None = Field(
        default=None, description="Acquisitions that should be there; gives `missing` and `unexpected`."
    )
    condition: ExpressionText | None = Field(
        default=None, alias="if", description="The condition; unknown counts as not now."
    )
    do: Annotated[tuple[dict[str, Any], ...], Field(min_length=1)] = Field(
        description="What to do: a list of effects, each with an optional `when`."
    )
    tests: tuple[RuleTestForm, ...] = Field(default=(), description="The rule's own tests, run by `flyball test`.")


class CutForm(Form):
    """Cut-offs of one metric."""

    worse: Literal["higher", "lower"] | None = Field(
        default=None, description="The bad direction; may be left out for MRIQC's own metrics."
    )
    warn: float | str | None = Field(
        default=None, description="Beyond this it warns: a number, or `z -3`, a robust z among peers."
    )
    fail: float | str | None = Field(default=None, description="Beyond this it fails: a number, or a robust z.")
    within: OneOrMany[str] | None = Field(
        default=None, description="Of a robust z: what peers have in common, such as `[project, acquisition.label]`."
    )
    min_n: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="Of a robust z: with fewer peers nothing is known; 20 by default."
    )


class ChangeForm(Form):
    """Cut-offs that differ in a project."""

    warn: float | str | None = Field(default=None, description="Beyond this it warns; null: no warning.")
    fail: float | str | None = Field(default=None, description="Beyond this it fails; null: no failing.")


class ProfileForm(Form):
    """Named QC cut-offs."""

    places: OneOrMany[str] = Field(
        default=("file.info.IQM", "file.info"),
        alias="from",
        description="Where the metrics stand; the first place that has one counts.",
    )
    metrics: Annotated[dict[str, CutForm], Field(min_length=1)] = Field(description="Metric → cut-offs.")
    per_project: dict[Glob, dict[str, ChangeForm]] = Field(
        default={}, description="Globs of `group/label` → metric → cut-offs that differ there."
    )
