"""What rules want to be so, and whose a tag is: the values that decisions are compared with.

A *claim* says that a rule wants something to be so for a target (a tag on a container, an open alert, a launch). The
*mark* of a tag says whose it is. A `Book` holds the claims and marks that a batch of decisions touches; the ledger
fills it, `reconciling` works on it, the ledger stores what changed. `plan` does the same with a book that is thrown
away, so that both give the same list.

Marks of a tag (subject `level/id/TAG`):

    (none)   nobody's business yet
    trying   it was absent when read, and an effect to set it is under way
    ours     we set it
    people   it was there before we wanted it: never removed by us
    removed  a person took ours away: not set again until no claim wants it
    failed   setting it failed for good, or a person refused it: not tried again until no claim wants it, or a person
             says `retry`
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from flyball.model.effect import EffectState
from flyball.model.node import Target

Mark = Literal["trying", "ours", "people", "removed", "failed"]
Owner = tuple[str, str, str]  # rule, site, target id
Subject = tuple[str, str]  # site, `level/id/TAG`
Try = Literal["moving", "held"]

TAG: Final = "tag"
ALERT: Final = "alert"
LOG: Final = "log"
COLLECTION: Final = "collection"
ADD: Final = "add"
REMOVE: Final = "remove"
RENEWED: Final = frozenset({"info", "view", "download", "upload", "containers", "report"})
"""Kinds that are done once for what is wanted *now*: when a rule wants something else for the target, or nothing any
more, what it wanted before may be wanted and done again later. Their once-key tells what is wanted."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One standing wish of one rule for one target.

    Attributes:
        over: what happens once it is wanted no longer: retract, resolve or leave.
        subject: of a tag, `level/id/TAG`; of members of a collection, `collection/LABEL`.
        holds: the rule is in `mode: approve`: nothing is done for it without a person's yes.
    """

    rule: str
    target: Target
    slot: str
    kind: str
    once_key: str
    params: Mapping[str, Any]
    over: str
    subject: str | None = None
    holds: bool = False

    @property
    def owner(self) -> Owner:
        """Whose claim it is."""
        return (self.rule, self.target.site, self.target.id)


@dataclass(frozen=True, slots=True)
class Planned:
    """An effect that a decision needs now.

    `single` effects happen once for their key; the others follow the present state. `members`: of an effect on a
    collection, the paths of the targets that it is for, as far as decided; for people.
    """

    rule: str
    target: Target
    kind: str
    once_key: str
    slot: str
    summary: str
    params: Mapping[str, Any]
    single: bool
    retracts: bool = False
    members: list[str] = field(default_factory=list, compare=False)

    @property
    def lane(self) -> str:
        """Effects on one tag, of one key, on what `params["lane"]` names, or about one alert on one channel, go
        out one after another.
        """
        if self.kind == ALERT:
            return alert_lane(self.target.site, self.once_key, str(self.params.get("channel", "")))
        about = subject_of(self.params) if self.kind == TAG else str(self.params.get("lane") or self.once_key)
        return lane_of(self.target.site, about)


@dataclass(slots=True)
class Book:
    """Claims and marks that some decisions touch.

    Attributes:
        claims: owner → slot → claim.
        wanted_by: subject → (owner, slot) of every claim on it, ours and other rules'.
        marks: (site, subject) → whose the tag is.
        present: (site, subject) → whether the tag is on the container now; absent key or None: not known.
        tries: (site, subject) → how the effects stand that are to set it: `moving` go on by themselves, `held` ones
            wait for a person. Filled for tags whose mark is `trying`.
        singles: once-key → state of the effect that has it.
        gathering: (site, once-key, operation) → the effect on a collection that has not begun yet; None: one on record.
        freed: once-keys that may be used again.
        changed_claims: owner, slot → claim to store, None to delete.
        changed_marks: likewise for marks.
    """

    claims: dict[Owner, dict[str, Claim]] = field(default_factory=dict)
    wanted_by: dict[Subject, set[tuple[Owner, str]]] = field(default_factory=dict)
    marks: dict[Subject, Mark] = field(default_factory=dict)
    present: dict[Subject, bool | None] = field(default_factory=dict)
    tries: dict[Subject, set[Try]] = field(default_factory=dict)
    singles: dict[str, EffectState] = field(default_factory=dict)
    gathering: dict[tuple[str, str, str], Planned | None] = field(default_factory=dict)
    freed: set[str] = field(default_factory=set)
    changed_claims: dict[tuple[Owner, str], Claim | None] = field(default_factory=dict)
    changed_marks: dict[Subject, Mark | None] = field(default_factory=dict)

    def add_claim(self, claim: Claim) -> None:
        """Record that something is wanted."""
        self.remember(claim)
        self.changed_claims[(claim.owner, claim.slot)] = claim

    def drop_claim(self, claim: Claim) -> None:
        """Record that it is wanted no longer."""
        self.claims.get(claim.owner, {}).pop(claim.slot, None)
        self.changed_claims[(claim.owner, claim.slot)] = None
        if claim.subject is not None:
            self.wanted_by.get((claim.target.site, claim.subject), set()).discard((claim.owner, claim.slot))

    def remember(self, claim: Claim) -> None:
        """Take in a claim that is on record."""
        self.claims.setdefault(claim.owner, {})[claim.slot] = claim
        if claim.subject is not None:
            self.wanted_by.setdefault((claim.target.site, claim.subject), set()).add((claim.owner, claim.slot))

    def set_mark(self, site: str, subject: str, mark: Mark | None) -> None:
        """Record whose a tag is."""
        if mark is None:
            self.marks.pop((site, subject), None)
        else:
            self.marks[(site, subject)] = mark
        self.changed_marks[(site, subject)] = mark

    def take_over(self, loaded: Book) -> None:
        """Add what another book holds, without undoing what was worked out in this one."""
        for owner, mine in loaded.claims.items():
            self.claims.setdefault(owner, mine)
        for subject, wanting in loaded.wanted_by.items():
            if subject not in self.wanted_by:
                self.wanted_by[subject] = wanting
        for subject, mark in loaded.marks.items():
            if subject not in self.changed_marks:
                self.marks.setdefault(subject, mark)
        for subject, present in loaded.present.items():
            self.present.setdefault(subject, present)
        for subject, tries in loaded.tries.items():
            self.tries.setdefault(subject, tries)
        for key, state in loaded.singles.items():
            if key not in self.freed:
                self.singles.setdefault(key, state)
        for batch, planned in loaded.gathering.items():
            self.gathering.setdefault(batch, planned)

    def free(self, once_key: str) -> None:
        """Record that what was wanted is wanted no longer, and may be done again should it be wanted anew."""
        self.singles.pop(once_key, None)
        self.freed.add(once_key)

    def is_wanted(self, site: str, subject: str) -> bool:
        """Whether any claim wants the subject to be so."""
        return bool(self.wanted_by.get((site, subject)))

    def wanting(self, site: str, subject: str) -> list[Claim]:
        """The claims on a subject, those of rules that need nobody's yes first; in a fixed order."""
        found = [self.claims[owner][slot] for owner, slot in sorted(self.wanted_by.get((site, subject), ()))]
        return sorted(found, key=lambda claim: claim.holds)


def subject_of(wish_params: Mapping[str, Any]) -> str:
    """The subject of a tag wish: `level/id/TAG`."""
    container = wish_params["container"]
    return f"{container['level']}/{container['id']}/{wish_params['tag']}"


def collection_subject(label: str) -> str:
    """The subject of a membership claim."""
    return f"{COLLECTION}/{label}"


def claim_subject(kind: str, params: Mapping[str, Any]) -> str | None:
    """What a wish of a kind claims, where others may claim it too."""
    if kind == TAG:
        return subject_of(params)
    return collection_subject(params["label"]) if kind == COLLECTION else None


def container_of(subject: str) -> tuple[str, str, str]:
    """The parts of a subject: level, id, tag. An id of a site without file ids may hold slashes; a tag holds none."""
    level, rest = subject.split("/", 1)
    container, tag = rest.rsplit("/", 1)
    return level, container, tag


def lane_of(site: str, about: str) -> str:
    """The lane of what concerns one tag (its subject) or one once-key."""
    return f"{site}/{about}"


def alert_lane(site: str, once_key: str, channel: str) -> str:
    """The lane of the messages about one alert on one channel: a channel that is away holds up no other."""
    return lane_of(site, f"{once_key}/{channel}")


def channels_of(params: Mapping[str, Any]) -> tuple[str, ...]:
    """The channels of an alert, as the rule names them: one name, or a list; the log for one that names none."""
    named = params.get("channel", LOG)
    return (named,) if isinstance(named, str) else tuple(map(str, named))
