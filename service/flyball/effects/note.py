"""`note`: writes one evidence note on a container, once.

Safe against doubles: the text ends with a part of the once-key, and the container's notes are read before one is sent.
After an unclear end they are read twice, each time no earlier than the site's `unclear_wait`; only then it is sent
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pydantic import Field

from flyball.effects.common import ContainerLevel, Entry, Params, an, container_json, lacking, may_reach, reads_of
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.levels import Level
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.expression import Expression
from flyball.rules.keys import once_key, suffix
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template


class NoteParams(Params):
    """Parameters of `note`."""

    on: ContainerLevel = Field(description="Level of the container that gets the note: the target's or one above.")
    text: str = Field(min_length=1, description="Template of the note.")


@dataclass(frozen=True, slots=True)
class NoteEntry(Entry):
    """A compiled `note` entry."""

    on: Level
    text: Template

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`; and why no note can be written, where there is nothing to write it on."""
        yield from Entry.because(self, moment)
        if container_json(moment.document, self.on) is None:
            yield lacking(moment.document, self.on, "put a note on it")

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """One note."""
        document = moment.document
        container = container_json(document, self.on)
        slot = f"{self.index}.note"
        if container is None:
            reason = lacking(document, self.on, "put a note on it").note
            yield Wish(self.kind, Verdict.UNKNOWN, {}, "", reason, slot, reason)
            return
        key = once_key(moment.rule_id, document.target.id, self.kind, self.index, container["id"], moment.generation)
        want = self.want(moment)
        text = self.text.render(moment.context.names) + suffix(key) if want is Verdict.YES else ""
        params = {"container": container, "text": text}
        yield Wish(self.kind, want, params, key, f"note  {container['path']}", slot)


class Note:
    """The effect kind."""

    name = "note"
    params = NoteParams
    over = WhenOver.LEAVE

    def compile(self, params: NoteParams, when: Expression | None, index: int, compiler: Compiler) -> NoteEntry:
        """Compile the text."""
        on = Level(params.on)
        if on is Level.FILE or not may_reach(compiler.each, on):
            raise Fault(
                ("on",), f"a rule on each {compiler.each} cannot put a note on {an(on)}: name a container above"
            )
        text = compiler.template(params.text, ("text",))
        return NoteEntry(self.name, index, when, reads_of(when, text), on, text)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """Write the note, unless one with the key is there."""
        container, text = effect.params["container"], effect.params["text"]
        there = await hands.site.notes(container["level"], container["id"], fresh=bool(effect.unclear))
        if any(str(note.get("text") or "").rstrip().endswith(suffix(effect.once_key).strip()) for note in there):
            return Report(Outcome.DONE, {"found": True})
        if effect.wants_another_look:
            return Report(Outcome.UNKNOWN, error="the site does not show the note yet", looked=True)
        if not effect.params.get("wanted", True):
            return Report(Outcome.SUPERSEDED, error="no longer wanted; the site does not have it")
        await hands.site.add_note(container["level"], container["id"], text)
        return Report(Outcome.DONE)
