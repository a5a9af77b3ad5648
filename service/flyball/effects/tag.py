"""`tag`: keeps tags on a container equal to their conditions; owns only what it set.

Safe against doubles: setting a tag is idempotent on the site (409 when it is there). Safe against taking over people's
tags: before the first POST the tag was absent when read, which is stored as the mark `trying`; after an unclear end
the tags are read again, and one that is there now is ours. A 409 without an unclear end before it means that somebody
else set it meanwhile: it is theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from flyball.effects.common import ContainerLevel, Entry, Params, container_json, may_reach, reads_of
from flyball.effects.port import Hands
from flyball.model.decision import Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver

MAX_TAG = 32  # characters, not bytes (live19)


class TagParams(Params):
    """Parameters of `tag`."""

    on: ContainerLevel = Field(description="Level of the container that carries the tags: the target's or one above.")
    set: Annotated[dict[str, str | bool], Field(min_length=1)] = Field(
        description="Tag → condition. 1 to 32 characters, no slash. The tag is there while the condition is true."
    )


@dataclass(frozen=True, slots=True)
class TagEntry(Entry):
    """A compiled `tag` entry."""

    on: Level
    conditions: tuple[tuple[str, Expression], ...]

    @property
    def expressions(self) -> Iterable[Expression]:
        """`when` and the tags' conditions."""
        when = () if self.when is None else (self.when,)
        return (*when, *(condition for _, condition in self.conditions))

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One wish a tag."""
        document = moment.document
        container = container_json(document, self.on)
        for tag, condition in self.conditions:
            slot = f"{self.index}.{tag}"
            if container is None:
                reason = f"the {document.target.level} has no {self.on} to tag"
                yield Wish("tag", Verdict.UNKNOWN, {}, "", reason, slot, reason)
                continue
            key = once_key(
                moment.rule_id, document.target.id, container["level"], container["id"], tag, moment.generation
            )
            params: Mapping[str, object] = {"container": container, "tag": tag}
            yield Wish(
                "tag",
                self.want(moment, condition),
                params,
                key,
                f"tag {tag}  {container['path']}",
                slot,
                over=str(moment.over or WhenOver.RETRACT),
            )


class Tag:
    """The effect kind."""

    name = "tag"
    params = TagParams
    over = WhenOver.RETRACT

    def compile(self, params: TagParams, when: Expression | None, index: int, compiler: Compiler) -> TagEntry:
        """Check the tags and compile their conditions."""
        on = Level(params.on)
        if not may_reach(compiler.each, on):
            raise Fault(("on",), f"a rule on each {compiler.each} cannot tag a {on}: name a level at or above it")
        conditions: list[tuple[str, Expression]] = []
        for tag, text in params.set.items():
            if not 1 <= len(tag) <= MAX_TAG or "/" in tag:
                raise Fault(("set", tag), f"a tag has 1 to {MAX_TAG} characters and no slash; {tag!r} does not fit")
            source = str(text).lower() if isinstance(text, bool) else text
            conditions.append((tag, compiler.expression(source, ("set", tag))))
        reads = reads_of(when, *(condition for _, condition in conditions))
        return TagEntry(self.name, index, when, reads, on, tuple(conditions))

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Set or remove one tag. `detail["mark"]` says whose the tag is afterwards (None: nobody's)."""
        container, tag = effect.params["container"], effect.params["tag"]
        level, id_ = container["level"], container["id"]
        if effect.params["operation"] == "remove":
            await hands.site.remove_tag(level, id_, tag)
            return Report(Outcome.DONE, {"mark": None, "present": False})
        must_read = bool(effect.unclear) or not effect.params.get("absent", False)
        if must_read and tag in await hands.site.tags(level, id_, fresh=bool(effect.unclear)):
            if effect.unclear:
                return Report(Outcome.DONE, {"mark": "ours", "present": True})
            return Report(Outcome.ALREADY, {"mark": "people", "present": True})
        if await hands.site.add_tag(level, id_, tag):
            return Report(Outcome.DONE, {"mark": "ours", "present": True})
        mark = "ours" if effect.unclear else "people"
        return Report(Outcome.ALREADY, {"mark": mark, "present": True})
