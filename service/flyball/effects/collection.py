"""`collection`: keeps acquisitions in a collection, which is found by its label.

A rule claims members target by target; what is claimed goes to the site in one effect for all of them, some thousand in
one request. Safe against a second collection: it is looked for by label before it is made, after an unclear end twice,
and effects on one label are carried out one after another. Safe against taking people's members: the members are read,
and what that showed is stored, before anything is sent (see `ledger.gathering`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import Field

from flyball.effects.common import MAX_LABEL, Entry, Params, reads_of
from flyball.effects.lending import Collections, lent
from flyball.effects.port import Hands
from flyball.model.decision import Because, Verdict, Wish
from flyball.model.effect import Effect, Outcome, Report
from flyball.model.levels import HIERARCHY, Level
from flyball.model.node import Document
from flyball.rules.catalog import Compiler, Fault
from flyball.rules.claims import ADD, COLLECTION
from flyball.rules.expression import Expression, Unknown, is_unknown
from flyball.rules.keys import once_key
from flyball.rules.rule import Moment, WhenOver
from flyball.rules.templates import Template

AT_ONCE: Final = 2000
"""Members in one request: some 130 KB."""

Sync = Literal["add", "own", "exact"]


class CollectionParams(Params):
    """Parameters of `collection`."""

    label: str = Field(
        min_length=1, description="Template of its label. A collection with this label is used, else made."
    )
    sync: Sync = Field(
        default="add",
        description="`add` only adds; `own` also takes out what it added; `exact`: its members are the rule's targets, "
        "whoever put others in.",
    )
    members: str | None = Field(
        default=None,
        description="Expression for a list of acquisitions or files. Default: the target's own acquisition, or all "
        "acquisitions below it.",
    )


@dataclass(frozen=True, slots=True)
class CollectionEntry(Entry):
    """A compiled `collection` entry."""

    label: Template
    sync: Sync
    members: Expression | None

    def because(self, moment: Moment) -> Iterable[Because]:
        """`when`, and how many acquisitions it is about."""
        yield from Entry.because(self, moment)
        found, trouble = self._members(moment)
        label = self.label.fill(moment.context.names)
        trouble = trouble or (label.reason if isinstance(label, Unknown) else "")
        yield Because(f"collection {self.label.text}", "unknown" if trouble else len(found), {}, trouble)

    def wishes(self, moment: Moment) -> Iterable[Wish]:
        """Membership of the target's acquisitions."""
        slot = f"{self.index}.{COLLECTION}"
        want = self.want(moment)
        label = self.label.fill(moment.context.names)
        found, trouble = self._members(moment)
        if isinstance(label, Unknown):
            trouble = label.reason
        elif not label.strip() or len(label) > MAX_LABEL:
            trouble = f"a collection's label has 1 to {MAX_LABEL} characters"
        if trouble and want is Verdict.YES:
            yield Wish(COLLECTION, Verdict.UNKNOWN, {}, "", trouble, slot, trouble)
            return
        if want is Verdict.YES and not found:
            want = Verdict.NO
        label = str(label)
        params = {
            "label": label,
            "sync": self.sync,
            "members": found if want is Verdict.YES else [],
            "lane": f"{COLLECTION}/{label}",
            "container": {"level": COLLECTION, "id": label, "path": label},
        }
        key = once_key(COLLECTION, moment.rule_id, label, moment.generation)
        over = WhenOver.LEAVE if self.sync == "add" else moment.over or WhenOver.RETRACT
        yield Wish(COLLECTION, want, params, key, f"collection {label}", slot, over=str(over))

    def _members(self, moment: Moment) -> tuple[list[str], str]:
        if self.members is None:
            return below(moment.document), ""
        value = self.members.value(moment.context)
        if is_unknown(value):
            return [], value.reason
        if not isinstance(value, list):
            return [], f"{self.members.source} gives no list"
        found = [acquisition_of(item) for item in value]
        if None in found:
            return [], f"{self.members.source} gives something that is no acquisition, and no file of one"
        return sorted({ident for ident in found if ident is not None}), ""


class Collection:
    """The effect kind."""

    name = COLLECTION
    params = CollectionParams
    over = WhenOver.RETRACT

    def compile(
        self, params: CollectionParams, when: Expression | None, index: int, compiler: Compiler
    ) -> CollectionEntry:
        """Compile the label and the members."""
        label = compiler.template(params.label, ("label",))
        members = None if params.members is None else compiler.expression(params.members, ("members",))
        reads = reads_of(when, label, members)
        if members is None:
            if compiler.each not in HIERARCHY:
                raise Fault(
                    ("members",), f"{compiler.each}s have no acquisitions of their own: say which with `members`"
                )
            if compiler.each not in (Level.ACQUISITION, Level.FILE):
                reads |= {(str(compiler.each), "acquisitions")}
        return CollectionEntry(self.name, index, when, reads, label, params.sync, members)

    async def carry_out(self, effect: Effect, hands: Hands) -> Report:
        """One attempt: find or make the collection, read its members and end; or send what is stored."""
        site, params = lent(hands.collections, "collections"), effect.params
        ident = params.get("collection")
        if ident is None or effect.unclear:
            ident, report = await self._find(effect, site)
            if ident is None:
                return report
            return await self._read(effect, site, ident)
        return await self._send(effect, site, str(ident))

    @staticmethod
    async def _find(effect: Effect, site: Collections) -> tuple[str | None, Report]:
        """The collection, made if need be; or what to report instead."""
        label = effect.params["label"]
        found = await site.find(label, fresh=bool(effect.unclear))
        if found:
            return found[0], Report(Outcome.DONE)
        if effect.params["operation"] != ADD:
            return None, Report(Outcome.ALREADY, {"added": 0, "removed": 0})
        if effect.wants_another_look:
            return None, Report(Outcome.UNKNOWN, error="the site does not show the collection yet", looked=True)
        if not effect.params.get("wanted_any", True):
            return None, Report(Outcome.SUPERSEDED, error="no longer wanted")
        return await site.create(label), Report(Outcome.DONE)

    @staticmethod
    async def _read(effect: Effect, site: Collections, ident: str) -> Report:
        """Read the members; what they show is stored before anything is sent."""
        params = effect.params
        inside = set(await site.members(ident))
        marks: Mapping[str, str] = params["marks"]
        exact = params["sync"] == "exact"
        wanted = params["wanted"]
        tried = [one for one in wanted if marks.get(one) == "trying"]
        detail: dict[str, Any] = {
            "collection": ident,
            "put_in": [one for one in tried if one in inside],
            "absent": [one for one in wanted if one not in inside and (exact or marks.get(one) is None)],
            "present": [one for one in wanted if one in inside and marks.get(one) in (None, "removed")],
            "lost": [] if exact else [one for one in wanted if one not in inside and marks.get(one) == "ours"],
            "others": sorted(inside.difference(params["elsewhere"])) if exact else [],
        }
        return Report(Outcome.WAITING, detail, wait=0.0)

    @staticmethod
    async def _send(effect: Effect, site: Collections, ident: str) -> Report:
        params = effect.params
        marks: Mapping[str, str] = params["marks"]
        elsewhere = set(params["elsewhere"])
        adding = params["operation"] == ADD
        added = [one for one in params["wanted"] if marks.get(one) == "trying"] if adding else []
        removed: list[str] = []
        if params["sync"] != "add" or not adding:
            own = {one for one, mark in marks.items() if mark in ("ours", "trying") and one not in elsewhere}
            removed = sorted(own.union(params.get("removable", ())))
        await _in_batches(site, ident, "add", added)
        await _in_batches(site, ident, "remove", removed)
        unread = adding and any(one not in marks for one in params["wanted"])
        detail = {"put_in": added, "taken_out": removed}
        before = (int(params.get("so_far_added", 0)), int(params.get("so_far_removed", 0)))
        counts = (before[0] + len(added), before[1] + len(removed))
        if unread:  # claimed since the members were read
            more = {"collection": None, "so_far_added": counts[0], "so_far_removed": counts[1]}
            return Report(Outcome.WAITING, detail | more, wait=0.0)
        told = {"collection": ident, "added": counts[0], "removed": counts[1]}
        return Report(Outcome.DONE if any(counts) else Outcome.ALREADY, detail | told)


async def _in_batches(site: Collections, ident: str, operation: str, members: Sequence[str]) -> None:
    for start in range(0, len(members), AT_ONCE):
        await site.change(ident, operation, members[start : start + AT_ONCE])


def below(document: Document) -> list[str]:
    """The acquisitions that a target stands for: its own, or all below it."""
    level = document.target.level
    if level is Level.ACQUISITION:
        return [document.node.id]
    if level is Level.FILE:
        own = document.node.parents.get("acquisition")
        return [] if own is None else [own]
    return sorted(node.id for node in document.subtree if node.level is Level.ACQUISITION)


def acquisition_of(item: Any) -> str | None:
    """The id of an acquisition's document, or of the acquisition that a file's document hangs on."""
    if not isinstance(item, Mapping):
        return None
    parent = item.get("parent_ref")
    if isinstance(parent, Mapping):
        return str(parent["id"]) if parent.get("type") == "acquisition" and parent.get("id") else None
    parents = item.get("parents")
    if isinstance(parents, Mapping) and parents.get("session") and isinstance(item.get("id"), str):
        return str(item["id"])
    return None
