"""`alert`: tells people, once when it begins, again every `repeat`, and once more when it is over.

Each message on each channel is an effect of its own, with a key of its own. Messages are at least once: an attempt is
stored before the message leaves, and after an unclear end (reset, time-out, kill) it is sent again, word for word and
with the same key, so that the receiver can tell. One that certainly did not arrive is tried again for as long as it is
wanted, whatever the channel says: what is wrong with a channel is no reason to lose an alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from flyball.configfile.durations import Duration
from flyball.effects.common import Entry, Params, path_to, reads_of
from flyball.effects.messages import message_of, one_line
from flyball.effects.port import Hands
from flyball.model.decision import Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.errors import Transient, UnknownOutcome
from flyball.model.levels import HIERARCHY, Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.claims import LOG
from flyball.rules.expression import Expression
from flyball.rules.expression.values import Unknown
from flyball.rules.keys import fingerprint, once_key
from flyball.rules.outgoing import Outgoing
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.template_filters import written
from flyball.rules.templates import Template

ChannelName = Annotated[str, StringConstraints(min_length=1)]
_LEVELS = {str(level): level for level in HIERARCHY}
_GEAR = "gear"
_REASON = "reason"
_GROUP_VALUE = 120  # characters of one value of a group, as people see it


class AlertParams(Params):
    """Parameters of `alert`."""

    title: str = Field(min_length=1, description="Template of the first line.")
    body: str = Field(default="", description="Template of the text below it.")
    channel: ChannelName | Annotated[tuple[ChannelName, ...], Field(min_length=1)] | None = Field(
        default=None, description="Name of a channel, or of several, or `log`. Default: `notify`, else `log`."
    )
    severity: Literal["info", "warning", "error"] = Field(
        default="warning", description="How bad it is; a channel takes what is at least its `min_severity`."
    )
    group_by: tuple[ChannelName, ...] = Field(
        default=(),
        description="What alerts of one group have in common: `project`, `subject`, `session`, `acquisition`, `gear`, "
        "`reason` (how a job ended, or a name under `let`), or expressions. Without it, all of the entry are one.",
    )
    wait: Duration = Field(
        default=timedelta(0),
        description="Alerts of one group that open within so long are one message that counts and names them.",
    )
    repeat: Duration | None = Field(default=None, description="Say it again after so long, while it lasts.")


@dataclass(frozen=True, slots=True)
class AlertEntry(Entry):
    """A compiled `alert` entry.

    Attributes:
        channels: one or several.
        group_by: word or expression as written → the compiled expression; None for words with a meaning of their own.
        wait: seconds; 0: every alert is a message of its own.
        outgoing: what of the document may leave.
    """

    title: Template
    body: Template
    channels: tuple[str, ...]
    severity: str
    repeat: float | None
    group_by: tuple[tuple[str, Expression | None], ...]
    wait: float
    outgoing: Outgoing

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One alert for the target."""
        target = moment.document.target
        key = once_key(moment.rule_id, target.id, self.kind, self.index, moment.generation)
        want = self.want(moment)
        shown = want is Verdict.YES
        title = self._text(self.title, moment) if shown else ""
        params: dict[str, Any] = {
            "channel": self.channels[0] if len(self.channels) == 1 else list(self.channels),
            "title": title,
            "body": self._text(self.body, moment) if shown else "",
            "severity": self.severity,
            "repeat": self.repeat,
            "project": path_to(moment.document, Level.PROJECT) or None,
        }
        path = self.outgoing.path(moment.document)
        if path != target.path:
            params["path"] = path
        if self.wait:
            params |= {"wait": self.wait, "group": self._group(moment)}
        yield Wish(
            self.kind,
            want,
            params,
            key,
            f"alert {title!r}  {target.path}",
            f"{self.index}.alert",
            over=str(moment.over if moment.over is WhenOver.LEAVE else WhenOver.RESOLVE),
        )

    def _text(self, template: Template, moment: Moment) -> str:
        return template.render(self.outgoing.names(moment.context.names, template.reads))

    def _group(self, moment: Moment) -> dict[str, Any]:
        """The group of the alert: its number, and what people may see of what its alerts have in common."""
        values: dict[str, Any] = {}
        by: dict[str, str] = {}
        for word, expression in self.group_by:
            value, path = _common(word, expression, moment)
            values[word] = value
            reads = expression.reads | expression.reads_below if expression is not None else {path}
            if value is not None and all(self.outgoing.permits(one) for one in reads):
                by[word] = one_line(written(value), _GROUP_VALUE)
        shown = {word: written(value) for word, value in values.items()}
        number = fingerprint([moment.rule_id, self.index, self.severity, shown])
        return {"id": f"group-{number[:16]}", "by": by}


class Alert:
    """The effect kind."""

    name = "alert"
    params = AlertParams
    over = WhenOver.RESOLVE
    sites: frozenset[str] = frozenset()  # a message to people needs none

    def compile(self, params: AlertParams, when: Expression | None, index: int, compiler: Compiler) -> AlertEntry:
        """Compile the texts and check the channels; what may not leave is remarked upon."""
        named = params.channel or compiler.notify or LOG
        channels = tuple(dict.fromkeys((named,) if isinstance(named, str) else named))
        for channel in channels:
            if compiler.channels is not None and channel != LOG and channel not in compiler.channels:
                known = ", ".join(sorted(compiler.channels | {LOG}))
                raise Fault(("channel",), f"there is no channel {channel!r} in the settings; there are: {known}")
        title = compiler.template(params.title, ("title",))
        body = compiler.template(params.body, ("body",))
        outgoing = Outgoing(compiler.fields_out, compiler.own)
        for name, template in (("title", title), ("body", body)):
            for path in outgoing.kept_back(template.reads):
                compiler.warn(
                    f"`{'.'.join(path)}` is not among `fields_out` of the settings: it is written as `?`", (name,)
                )
        group_by = tuple((word, _compiled(word, at, compiler)) for at, word in enumerate(params.group_by))
        repeat = None if params.repeat is None else params.repeat.total_seconds()
        return AlertEntry(
            self.name,
            index,
            when,
            reads_of(when, title, body, *(one for _, one in group_by)) | _reads_of_words(params.group_by, compiler),
            title,
            body,
            channels,
            params.severity,
            repeat,
            group_by,
            params.wait.total_seconds(),
            outgoing,
        )

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Deliver one message."""
        params = effect.params
        try:
            await hands.channels.send(params["channel"], message_of(effect), key=f"{effect.once_key}-{effect.id}")
        except UnknownOutcome as error:
            if not effect.unclear:
                raise
            raise Transient(str(error), site=error.site) from error  # asked less and less often
        except Transient as error:  # certainly not delivered: never given up for that
            raise Transient(str(error), wait=error.wait, site=error.site) from error
        items = params.get("items") or ()
        return Report(Outcome.DONE, {"channel": params["channel"], **({"alerts": len(items)} if items else {})})


def _compiled(word: str, at: int, compiler: Compiler) -> Expression | None:
    """An entry of `group_by` as an expression; None for a word that names what it means."""
    if word in _LEVELS:
        level = _LEVELS[word]
        if str(level) not in compiler.names:
            raise Fault(("group_by", at), f"a rule on each {compiler.each} has no {word} to group by")
        return None
    if word == _GEAR or (word == _REASON and _REASON not in compiler.names):
        if compiler.each is not Level.JOB:
            raise Fault(
                ("group_by", at),
                f"`{word}` is known to rules on each job; elsewhere name a value under `let`, and group by that",
            )
        return None
    return compiler.expression(word, ("group_by", at))


def _reads_of_words(words: Iterable[str], compiler: Compiler) -> frozenset[tuple[str, ...]]:
    if compiler.each is not Level.JOB:
        return frozenset()
    found = {_GEAR: ("gear", "name"), _REASON: ("job", "failure_reason")}
    return frozenset(path for word, path in found.items() if word in words)


def _common(word: str, expression: Expression | None, moment: Moment) -> tuple[Any, tuple[str, ...]]:
    """What an alert's target has of an entry of `group_by`, and the field that stands for it."""
    document = moment.document
    if expression is not None:
        value = expression.value(moment.context)
        return (None if isinstance(value, Unknown) else value), ()
    if word in _LEVELS:
        named = path_to(document, _LEVELS[word]) if word == Level.PROJECT else _label(document.names.get(word))
        return named, ("group",) if word == Level.PROJECT else (word, "label")
    job = document.names.get("job")
    if word == _GEAR:
        gear = document.names.get("gear") or (job.get("gear_info") if isinstance(job, Mapping) else None)
        return (gear.get("name") if isinstance(gear, Mapping) else None), ("group",)
    if not isinstance(job, Mapping):
        return None, ("group",)
    return job.get("failure_reason") or job.get("state"), ("group",)


def _label(node: Any) -> Any:
    return (node.get("label") or node.get("name")) if isinstance(node, Mapping) else None
