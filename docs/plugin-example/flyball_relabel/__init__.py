"""`relabel`: gives a container the label that an expression makes.

    do:
      - relabel: {on: acquisition, label: "lower(acquisition.label)"}

Safe against doubles, as the change is one that may be repeated: the label is read first, and set only while it is still
the one that the decision was taken on. If a person renamed the container meanwhile, theirs stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from flyball.effects.plugin import (
    JSON_BODY,
    Because,
    Compiler,
    ContainerLevel,
    Does,
    Effect,
    Entry,
    Expression,
    Fault,
    Hands,
    Level,
    Moment,
    Outcome,
    Params,
    Report,
    Request,
    Verdict,
    WhenOver,
    Wish,
    an,
    carried_out_perhaps,
    container_json,
    explain,
    from_json,
    is_unknown,
    lacking,
    may_reach,
    node_at,
    once_key,
    reads_of,
    segment,
    to_json,
    wire_of,
)

LONGEST = 64
"""Characters of a label that Flywheel takes without cutting it off in its pages."""


class RelabelParams(Params):
    """What people write below `relabel`; the descriptions are shown by editors that know the schema."""

    on: ContainerLevel = Field(description="Level of the container to rename: the target's or one above.")
    label: str = Field(min_length=1, description="Expression for the new label; nothing is done while it is unknown.")


@dataclass(frozen=True, slots=True)
class RelabelEntry(Entry):
    """One entry of `do`, for one rule. Pure: it is asked for every target, by `plan` and `why` as well as by `run`."""

    on: Level
    label: Expression

    def because(self, moment: Moment) -> Iterable[Because]:
        """What `flyball why` shows: `when`, and what the label was made of."""
        yield from Entry.because(self, moment)
        if container_json(moment.document, self.on) is None:
            yield lacking(moment.document, self.on, "rename it")
            return
        yield from explain(self.label, moment.context)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One new label, where there is a container and the label is known and another one."""
        slot = f"{self.index}.relabel"
        node, container = node_at(moment.document, self.on), container_json(moment.document, self.on)
        if node is None or container is None:
            reason = lacking(moment.document, self.on, "rename it").note
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        here, label = node.label, self.label.value(moment.context)
        want, trouble = self.want(moment), _trouble(label)
        if want is Verdict.YES and trouble:
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", trouble, slot, trouble)
            return
        if want is Verdict.YES and label == here:
            want = Verdict.NO
        # The container, the old and the new label make it this effect. It is done once: renamed back by hand, it stays.
        key = once_key("relabel", moment.rule_id, container["id"], here, str(label), moment.generation)
        params = {"container": container, "from": here, "to": str(label)}
        yield Wish(self.kind, want, params, key, f"relabel {label}  {container['path']}", slot)


class Relabel:
    """The effect kind."""

    name = "relabel"
    params = RelabelParams
    over = WhenOver.LEAVE

    def compile(self, params: RelabelParams, when: Expression | None, index: int, compiler: Compiler) -> RelabelEntry:
        """Check what can be checked without the site; a `Fault` refuses the rule, with file, line and column."""
        on = Level(params.on)
        if on is Level.FILE or not may_reach(compiler.each, on):
            raise Fault(("on",), f"a rule on each {compiler.each} cannot rename {an(on)}: name a container above")
        label = compiler.expression(params.label, ("label",))
        return RelabelEntry(self.name, index, when, reads_of(when, label), on, label)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt. What the site says no to is raised as it is: the worker knows what to do about it."""
        wire, container = wire_of(hands), effect.params["container"]
        path, template = _address(container["level"], container["id"])
        answer = await wire.send(Request("GET", path, template=template, fresh=bool(effect.unclear)))
        label = from_json(answer.body).get("label")
        if label == effect.params["to"]:
            return Report(Outcome.ALREADY)
        if label != effect.params["from"]:
            return Report(Outcome.SUPERSEDED, error=f"somebody named it {label!r} meanwhile")
        body = to_json({"label": effect.params["to"]})
        with carried_out_perhaps(effect):
            await wire.send(Request("PUT", path, headers=(JSON_BODY,), body=body, does=Does.SET, template=template))
        return Report(Outcome.DONE, {"from": label})


def _trouble(label: object) -> str:
    """Why this is no label; empty when it is one."""
    if is_unknown(label):
        return f"label: {getattr(label, 'reason', 'unknown')}"
    if not isinstance(label, str) or not label.strip():
        return "label: this is no text"
    if "/" in label or len(label) > LONGEST:
        return f"label: {label[:LONGEST]!r} has a slash or more than {LONGEST} characters"
    return ""


def _address(level: str, ident: str) -> tuple[str, str]:
    """The container's address, and its template for the metrics."""
    return f"/{level}s/{segment(ident)}", f"/{level}s/{{id}}"
