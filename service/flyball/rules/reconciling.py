"""Wishes against what is there already: which effects a decision needs, given the claims on record. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

from flyball.model.decision import Verdict, Wish
from flyball.model.effect import EffectState
from flyball.model.node import Target
from flyball.rules.claims import (
    ADD,
    ALERT,
    COLLECTION,
    REMOVE,
    RENEWED,
    TAG,
    Book,
    Claim,
    Owner,
    Planned,
    channels_of,
    claim_subject,
    container_of,
)

LEAVE: Final = "leave"


def reconcile(
    rule: str, target: Target, wishes: Iterable[Wish], *, exhaustive: bool, book: Book, holds: bool = False
) -> list[Planned]:
    """Turn the wishes of one decision into claims and the effects they need.

    Args:
        rule: the rule's id.
        target: the rule's target.
        wishes: what the rule wants now. Those whose `want` is unknown leave everything as it is.
        exhaustive: True: a standing claim without a wish is wanted no longer (the rule was edited, the target is
            gone). False: such claims stay (the target cannot be read).
        book: claims and marks; changed in place.
        holds: the rule lets nothing go without a person's yes.
    """
    owner: Owner = (rule, target.site, target.id)
    planned: list[Planned] = []
    mentioned: set[str] = set()
    for wish in wishes:
        mentioned.add(wish.slot)
        if wish.want is Verdict.YES:
            planned.extend(_grant(rule, target, wish, book, holds=holds))
        elif wish.want is Verdict.NO:
            standing = book.claims.get(owner, {}).get(wish.slot)
            if standing is not None:
                planned.extend(_withdraw(standing, book))
    if exhaustive:
        for standing in list(book.claims.get(owner, {}).values()):
            if standing.slot not in mentioned:
                planned.extend(_withdraw(standing, book))
    return planned


def settle_tag(book: Book, site: str, subject: str, *, holds: bool = False) -> Literal["add", "remove"] | None:
    """Bring the mark of one tag in line with the claims on it; return what must be done on the site, if anything.

    Called after any change of the claims or of what is known to be on the container.

    Args:
        book: claims and marks; changed in place.
        site: the site.
        subject: which tag.
        holds: what it asks for would wait for a person. An effect that waits for a person already is enough then,
            and is not enough for a rule that needs nobody's yes.
    """
    key = (site, subject)
    wanted, mark, present = book.is_wanted(*key), book.marks.get(key), book.present.get(key)
    if wanted:
        if mark is None and present:
            book.set_mark(*key, "people")
        elif mark is None or (mark == "trying" and not _is_tried(book, key, holds=holds)):
            book.set_mark(*key, "trying")
            book.tries.setdefault(key, set()).add("held" if holds else "moving")
            return ADD
        elif mark in ("ours", "people") and present is False:
            book.set_mark(*key, "removed")
        return None
    if mark == "ours":
        if present is not False:
            return REMOVE
        book.set_mark(*key, None)
    elif mark in ("people", "removed", "failed"):
        book.set_mark(*key, None)
    return None


def untried(book: Book, site: str, subject: str) -> None:
    """An effect that was to set a tag, and held by a person, is given up: another one may still be on its way."""
    key = (site, subject)
    book.tries.get(key, set()).discard("held")
    if book.marks.get(key) == "trying" and not book.tries.get(key) and not book.is_wanted(*key):
        book.set_mark(*key, None)


def tag_effect(claim: Claim, operation: str) -> Planned:
    """The effect that sets or removes the tag of a claim."""
    tag = container_of(claim.subject or "")[2]
    container = claim.params["container"]
    params: dict[str, Any] = {**claim.params, "operation": operation}
    if claim.over == LEAVE:
        params[LEAVE] = True
    return Planned(
        claim.rule,
        claim.target,
        TAG,
        claim.once_key,
        claim.slot,
        f"{'+' if operation == ADD else '-'} tag {tag}  {container.get('path') or container['id']}",
        params,
        single=False,
        retracts=operation == REMOVE,
    )


def _is_tried(book: Book, key: tuple[str, str], *, holds: bool) -> bool:
    tries = book.tries.get(key, set())
    return "moving" in tries or (holds and "held" in tries)


def _grant(rule: str, target: Target, wish: Wish, book: Book, *, holds: bool) -> list[Planned]:
    owner: Owner = (rule, target.site, target.id)
    standing = book.claims.get(owner, {}).get(wish.slot)
    planned: list[Planned] = []
    subject = claim_subject(wish.kind, wish.params)
    if standing is not None and (standing.kind, standing.subject) != (wish.kind, subject):
        planned.extend(_withdraw(standing, book))
        standing = None
    claim = Claim(rule, target, wish.slot, wish.kind, wish.once_key, wish.params, wish.over, subject, holds)
    if standing is None or _differs(standing, claim):
        book.add_claim(claim)
    if wish.kind == COLLECTION:
        if standing is None or _differs(standing, claim):
            planned.extend(_gather(claim, ADD, book))
    elif subject is not None:
        if settle_tag(book, target.site, subject, holds=holds) == ADD:
            planned.append(tag_effect(claim, ADD))
    elif wish.kind == ALERT:
        planned.extend(_told_of(claim, standing, wish.summary))
    else:
        planned.extend(_once(standing, claim, wish, book))
    return planned


def _once(standing: Claim | None, claim: Claim, wish: Wish, book: Book) -> list[Planned]:
    """What is done once for its key; of kinds that follow what is wanted now, the key wanted before is free again."""
    if standing is not None and standing.once_key != claim.once_key and claim.kind in RENEWED:
        book.free(standing.once_key)
    if wish.once_key in book.singles:
        return []
    book.singles[wish.once_key] = EffectState.PLANNED
    return [_planned(claim, wish.summary, wish.params, single=True)]


def _gather(claim: Claim, operation: Literal["add", "remove"], book: Book) -> list[Planned]:
    """The effect that brings a collection in line with the claims on it: one for all targets of a rule. While one has
    not begun, what is claimed or given back is its business too.
    """
    key = (claim.target.site, claim.once_key, operation)
    if key in book.gathering:
        known = book.gathering[key]
        if known is not None:
            known.members.append(claim.target.path)
        return []
    label = claim.params["label"]
    summary = f"collection {label}  {'members in' if operation == ADD else 'members out'}"
    params = {name: claim.params[name] for name in ("label", "sync", "lane", "container")} | {"operation": operation}
    retracts = operation == REMOVE
    planned = _planned(claim, summary, params, single=False, retracts=retracts)
    planned.members.append(claim.target.path)
    book.gathering[key] = planned
    return [planned]


def _differs(standing: Claim, claim: Claim) -> bool:
    """Whether the claim must be written anew. The texts of an alert count, since it may be said again."""
    if (standing.once_key, standing.over, standing.holds) != (claim.once_key, claim.over, claim.holds):
        return True
    return claim.kind in (ALERT, COLLECTION) and dict(standing.params) != dict(claim.params)


def _withdraw(claim: Claim, book: Book) -> list[Planned]:
    book.drop_claim(claim)
    if claim.kind == COLLECTION:
        if claim.over != LEAVE:
            return _gather(claim, REMOVE, book)
        for member in claim.params["members"]:  # it stays, and is nobody's business from here on
            book.set_mark(claim.target.site, f"{claim.subject}/{member}", None)
        return []
    if claim.kind in RENEWED:
        book.free(claim.once_key)
    if claim.subject is not None:
        key = (claim.target.site, claim.subject)
        if book.is_wanted(*key):
            return []
        if claim.over == LEAVE:
            book.set_mark(*key, None)
            return []
        return [tag_effect(claim, REMOVE)] if settle_tag(book, *key) == REMOVE else []
    if claim.kind == ALERT and claim.over != LEAVE:
        return [_all_clear(claim, channel) for channel in channels_of(claim.params)]
    return []


def _told_of(claim: Claim, standing: Claim | None, summary: str) -> list[Planned]:
    """The messages of an alert that is wanted: every channel is told once. A channel that the rule names no more gets
    its all-clear, since it will get no other.
    """
    named, before = channels_of(claim.params), () if standing is None else channels_of(standing.params)
    opened = [
        _planned(claim, summary, {**claim.params, "channel": channel, "status": "open"}, single=False)
        for channel in named
        if channel not in before
    ]
    dropped = () if standing is None else (channel for channel in before if channel not in named)
    return [*opened, *(_all_clear(standing or claim, channel) for channel in dropped)]


def _all_clear(claim: Claim, channel: str) -> Planned:
    summary = f"resolve alert {claim.params.get('title', '')!r}  {claim.target.path}"
    params = {**claim.params, "channel": channel, "status": "resolved"}
    return _planned(claim, summary, params, single=False, retracts=True)


def _planned(claim: Claim, summary: str, params: Mapping[str, Any], *, single: bool, retracts: bool = False) -> Planned:
    return Planned(claim.rule, claim.target, claim.kind, claim.once_key, claim.slot, summary, params, single, retracts)
