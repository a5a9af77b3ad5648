"""`tag`: keeps tags on a container equal to their conditions; owns only what it set.

Safe against doubles: setting a tag is idempotent on the site (409 when it is there). Safe against taking over people's
tags: before the first POST the tag was absent when read, and that is in the ledger; after an unclear end the tags are
read again, and one that is there now is ours. A 409 without an unclear end before it means that somebody else set it
meanwhile: it is theirs. Where lists do not show tags, the first attempt reads them and ends there, so that what it
saw is stored before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from flyball.effects.common import (
    ContainerLevel,
    Entry,
    Params,
    an,
    carried_out_perhaps,
    container_json,
    lacking,
    may_reach,
    node_at,
    reads_of,
)
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.claims import REMOVE
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

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when` and the conditions; and why nothing can be tagged, where there is nothing."""
        yield from Entry.because(self, moment)
        if node_at(moment.document, self.on) is None:
            yield lacking(moment.document, self.on, "tag it")

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One wish a tag."""
        document = moment.document
        container = container_json(document, self.on)
        for tag, condition in self.conditions:
            slot = f"{self.index}/{tag}"  # no kind has a slash in its name, and no tag has
            if container is None:
                reason = lacking(document, self.on, "tag it").note
                yield Wish("tag", Verdict.UNKNOWN, {}, "", reason, slot, reason)
                continue
            want = self.want(moment, condition)
            params: Mapping[str, object] = {"container": container, "tag": tag}
            place = (moment.rule_id, document.target.id, container["level"], container["id"])
            yield Wish(
                "tag",
                want,
                params,
                once_key(*place, tag, moment.generation) if want is Verdict.YES else "",
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
            raise Fault(("on",), f"a rule on each {compiler.each} cannot tag {an(on)}: name a level at or above it")
        conditions: list[tuple[str, Expression]] = []
        for tag, text in params.set.items():
            if not 1 <= len(tag) <= MAX_TAG or "/" in tag:
                raise Fault(("set", tag), f"a tag has 1 to {MAX_TAG} characters and no slash; {tag!r} does not fit")
            source = str(text).lower() if isinstance(text, bool) else text
            conditions.append((tag, compiler.expression(source, ("set", tag))))
        reads = reads_of(when, *(condition for _, condition in conditions))
        return TagEntry(self.name, index, when, reads, on, tuple(conditions))

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Set or remove one tag. `detail["mark"]` says whose the tag is afterwards (None: nobody's).

        `params["absent"]` says that the tag was absent when its container was read last, and that this is stored.
        """
        container, tag = effect.params["container"], effect.params["tag"]
        level, id_ = container["level"], container["id"]
        if effect.params["operation"] == REMOVE:
            return await self._remove(effect, hands)
        absent, unclear = bool(effect.params.get("absent", False)), bool(effect.unclear)
        # A site does not say whether a file had the tag already, so files are read in any case.
        if unclear or not absent or level == Level.FILE:
            if tag in await hands.site.tags(level, id_, fresh=unclear):
                ours = absent and unclear
                outcome = Outcome.DONE if ours else Outcome.ALREADY
                return Report(outcome, {"mark": "ours" if ours else "people", "present": True})
            if not effect.params.get("wanted", True):
                return Report(Outcome.SUPERSEDED, error="no longer wanted")
            if not absent:
                # Stored before anything is sent: after a kill, a tag that is there then must be told from people's.
                return Report(Outcome.WAITING, {"absent": True})
        if await self._add(effect, hands):
            return Report(Outcome.DONE, {"mark": "ours", "present": True})
        return Report(Outcome.ALREADY, {"mark": "ours" if unclear else "people", "present": True})

    @staticmethod
    async def _remove(effect: Effect, hands: Hands) -> Report:
        container, tag = effect.params["container"], effect.params["tag"]
        level, id_ = container["level"], container["id"]
        gone = Report(Outcome.DONE, {"mark": None, "present": False})
        if effect.unclear and not effect.params.get("wanted", True):
            # It is to be there after all. If our request was carried out, it must be set anew.
            there = tag in await hands.site.tags(level, id_, fresh=True)
            return Report(Outcome.SUPERSEDED, error="wanted again before it was removed") if there else gone
        with carried_out_perhaps(effect):
            await hands.site.remove_tag(level, id_, tag)
        return gone

    @staticmethod
    async def _add(effect: Effect, hands: Hands) -> bool:
        container, tag = effect.params["container"], effect.params["tag"]
        level, id_ = container["level"], container["id"]
        if level != Level.FILE:
            return await hands.site.add_tag(level, id_, tag)
        with carried_out_perhaps(effect):
            return await hands.site.add_tag(level, id_, tag)
