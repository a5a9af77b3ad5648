"""Tagging, its end: whose the tags are that attempts have dealt with, and whether that is what the claims want now.

Takes many at a time: a site answers hundreds of tag writes a second, and each is in the ledger before the next begins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from flyball.ledger.book import claimed_among, load_standing, load_subjects, store_book
from flyball.ledger.looking import Owed, owe_all
from flyball.ledger.mirror import Change, patch_tags
from flyball.ledger.noticing import Route, Seen, store_events
from flyball.ledger.planning import plan_tag
from flyball.model.effect import Effect, EffectState, Report
from flyball.model.levels import Level
from flyball.model.node import NodeKey
from flyball.rules.claims import ADD, TAG, Book, Claim, Subject, subject_of
from flyball.rules.keys import whole_of
from flyball.rules.reconciling import LEAVE

_ENDS = (EffectState.DONE, EffectState.FAILED, EffectState.CANCELLED)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt at an effect that ended, and the state of the effect that follows from it."""

    effect: Effect
    report: Report
    state: EffectState


def after_tags(connection: Connection, ended: Sequence[Ended], now: datetime, route: Route) -> int:
    """Note what became of some tags; how many targets rules must look at because of it. No two of them are about the
    same tag: effects on one wait for each other.

    Args:
        connection: of the transaction.
        ended: attempts at effects of kind `tag`.
        now: the present, UTC.
        route: which looks follow from our own changes.
    """
    ended = [one for one in ended if one.state in _ENDS]
    done = [one for one in ended if one.state is EffectState.DONE]
    given_up = [one for one in ended if one.state is not EffectState.DONE and one.effect.params["operation"] == ADD]
    if not done and not given_up:
        return 0
    changes = _patch(connection, done)
    book = Book()
    claimed = claimed_among(connection, [_subject(one.effect) for one in done])
    unsettled = [one for one in done if not _is_as_wanted(book, one, claimed)]
    load_standing(connection, book, [_subject(one.effect) for one in unsettled])  # they say the rest themselves
    load_subjects(connection, book, [_subject(one.effect) for one in given_up])
    for one in unsettled:
        _settle(connection, book, one, now)
    for one in given_up:
        _give_up(connection, book, one, now)
    store_book(connection, book, now)
    return _tell_others(connection, changes, now, route)


def give_up_tag(connection: Connection, effect: Effect, now: datetime) -> None:
    """A person refused an effect on a tag: it is not tried again until nobody wants it, or a person says `retry`."""
    if effect.kind != TAG or effect.params["operation"] != ADD:
        return
    book, key = Book(), _subject(effect)
    load_subjects(connection, book, [key])
    if book.marks.get(key) == "trying" and not book.tries.get(key):
        book.set_mark(*key, "failed" if book.is_wanted(*key) else None)
        store_book(connection, book, now)


def _subject(effect: Effect) -> Subject:
    return effect.site, subject_of(effect.params)


def _patch(connection: Connection, done: Sequence[Ended]) -> list[tuple[Effect, Change]]:
    """The tags as they are now, in the mirror; the changes that this is, by the effects that made them."""
    wanted = []
    for one in done:
        container = one.effect.params["container"]
        key = NodeKey(one.effect.site, Level(container["level"]), container["id"])
        wanted.append((key, one.effect.params["tag"], bool(one.report.detail["present"])))
    changes = patch_tags(connection, wanted, whole=whole_of)
    return [(one.effect, change) for one, change in zip(done, changes, strict=True) if change is not None]


def _is_as_wanted(book: Book, one: Ended, claimed: Collection[Subject]) -> bool:
    """Whether the tag is there and some claim wants it: that is all there is to it, and whose it is is noted."""
    key, detail = _subject(one.effect), one.report.detail
    if not (detail["present"] and detail["mark"] in ("ours", "people") and key in claimed):
        return False
    book.set_mark(*key, detail["mark"])
    return True


def _settle(connection: Connection, book: Book, one: Ended, now: datetime) -> None:
    """The site has answered: the tag is there, or is not, and it is ours or not."""
    key, detail = _subject(one.effect), one.report.detail
    book.present[key] = detail["present"]
    let_go = one.effect.params.get(LEAVE) and not book.is_wanted(*key)
    book.set_mark(*key, None if let_go else detail["mark"])
    plan_tag(connection, book, *key, now=now, last=_claim_of(one.effect))


def _give_up(connection: Connection, book: Book, one: Ended, now: datetime) -> None:
    """Setting the tag failed, or was needless."""
    key = _subject(one.effect)
    if book.marks.get(key) not in (None, "trying") or book.tries.get(key):
        return
    wanted = book.is_wanted(*key)
    book.set_mark(*key, "failed" if wanted and one.state is EffectState.FAILED else None)
    if wanted and one.state is EffectState.CANCELLED:
        plan_tag(connection, book, *key, now=now)


def _claim_of(effect: Effect) -> Claim:
    """The claim that an effect on a tag was made for, as far as a further effect needs it."""
    params = {name: effect.params[name] for name in ("container", "tag")}
    over = LEAVE if effect.params.get(LEAVE) else "retract"
    return Claim(effect.rule, effect.target, effect.slot, TAG, effect.once_key, params, over, subject_of(effect.params))


def _tell_others(connection: Connection, changes: Sequence[tuple[Effect, Change]], now: datetime, route: Route) -> int:
    """Our own changes of tags are news for the other rules that read them."""
    seen = []
    for effect, change in changes:
        node = change.node
        seen.append(Seen(effect.site, "own", str(node.level), node.id, node.label, {"effect": effect.id}))
    led = store_events(connection, seen, source="effect", now=now)
    owed: list[Owed] = []
    for effect, change in changes:
        event = led[(effect.site, str(change.node.level), change.node.id)]
        owed += [(look, event) for look in route(change) if look.rule != effect.rule]
    return owe_all(connection, owed, now=now)
