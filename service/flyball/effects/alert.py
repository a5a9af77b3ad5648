"""`alert`: tells people, once when it begins, again every `repeat`, and once more when it is over.

Messages are at least once: an attempt is stored before the message leaves, and after an unclear end (reset, time-out,
kill) it is sent again with the same key, so that the receiver can tell. Each repetition is an effect of its own, with a
key of its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from flyball.configfile.durations import Duration
from flyball.effects.common import Entry, Params, carried_out_perhaps, reads_of
from flyball.effects.port import Hands
from flyball.model.decision import Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

LOG = "log"


class AlertParams(Params):
    """Parameters of `alert`."""

    title: str = Field(min_length=1, description="Template of the first line.")
    body: str = Field(default="", description="Template of the text below it.")
    channel: str | None = Field(default=None, description="Name of a channel, or `log`. Default: `notify`, else `log`.")
    severity: Literal["info", "warning", "error"] = Field(default="warning", description="How bad it is.")
    repeat: Duration | None = Field(default=None, description="Say it again after so long, while it lasts.")


@dataclass(frozen=True, slots=True)
class AlertEntry(Entry):
    """A compiled `alert` entry."""

    title: Template
    body: Template
    channel: str
    severity: str
    repeat: float | None

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One alert for the target."""
        target = moment.document.target
        key = once_key(moment.rule_id, target.id, self.kind, self.index, moment.generation)
        want = self.want(moment)
        names = moment.context.names
        shown = want is Verdict.YES
        title = self.title.render(names) if shown else ""
        params = {
            "channel": self.channel,
            "title": title,
            "body": self.body.render(names) if shown else "",
            "severity": self.severity,
            "repeat": self.repeat,
        }
        yield Wish(
            self.kind,
            want,
            params,
            key,
            f"alert {title!r}  {target.path}",
            f"{self.index}.alert",
            over=str(moment.over if moment.over is WhenOver.LEAVE else WhenOver.RESOLVE),
        )


class Alert:
    """The effect kind."""

    name = "alert"
    params = AlertParams
    over = WhenOver.RESOLVE
    sites: frozenset[str] = frozenset()  # a message to people needs none

    def compile(self, params: AlertParams, when: Expression | None, index: int, compiler: Compiler) -> AlertEntry:
        """Compile the texts and check the channel."""
        channel = params.channel or compiler.notify or LOG
        if compiler.channels is not None and channel != LOG and channel not in compiler.channels:
            known = ", ".join(sorted(compiler.channels | {LOG}))
            raise Fault(("channel",), f"there is no channel {channel!r} in the settings; there are: {known}")
        title = compiler.template(params.title, ("title",))
        body = compiler.template(params.body, ("body",))
        repeat = None if params.repeat is None else params.repeat.total_seconds()
        return AlertEntry(
            self.name, index, when, reads_of(when, title, body), title, body, channel, params.severity, repeat
        )

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Deliver one message."""
        params = effect.params
        message = {
            "id": params.get("alert", effect.id),
            "rule": effect.rule,
            "target": effect.target.as_json(),
            "status": params["status"],
            "severity": params["severity"],
            "title": params["title"],
            "body": params["body"],
            "since": params.get("since", effect.created.isoformat()),
        }
        with carried_out_perhaps(effect):  # one that people may have got is said again, and resolved when it is over
            await hands.channels.send(params["channel"], message, key=f"{effect.once_key}-{effect.id}")
        return Report(Outcome.DONE, {"channel": params["channel"]})
