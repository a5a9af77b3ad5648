"""The book of claims and marks that a batch of decisions touches: loaded, and stored again as far as it changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, and_, bindparam, delete, select, update

from flyball.ledger.among import Among
from flyball.ledger.codec import micros, pack, unpack
from flyball.ledger.mirror import chunks, tags_on, upsert
from flyball.ledger.tables import claims, effects, marks
from flyball.model.decision import Decision, Verdict
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import Document, NodeKey, Target
from flyball.rules.claims import (
    ADD,
    COLLECTION,
    TAG,
    Book,
    Claim,
    Mark,
    Owner,
    Subject,
    container_of,
    lane_of,
    subject_of,
)

_MOVING = (str(EffectState.PLANNED), str(EffectState.WAITING), str(EffectState.RUNNING))
_UNFINISHED = (*_MOVING, str(EffectState.HELD))

# Built once: for few effects at a time, building a statement costs more than running it.
_ON_TAGS = (claims.c.site == bindparam("of_site"), Among(claims.c.subject, "some"))
_CLAIMED = select(claims.c.subject).where(*_ON_TAGS).distinct()
_CLAIMS_ON = select(claims).where(*_ON_TAGS)
_MARKS_ON = select(marks.c.subject, marks.c.owner).where(
    marks.c.site == bindparam("of_site"), Among(marks.c.subject, "some")
)
_CLAIMED_BY = select(claims).where(
    Among(claims.c.rule, "of_rules"),
    Among(claims.c.site, "of_sites"),
    Among(claims.c.target, "of_targets"),
)
_TRIES = select(effects.c.lane, effects.c.state, effects.c.held_for, effects.c.params).where(
    Among(effects.c.lane, "some"), effects.c.state.in_(_UNFINISHED)
)


def load_book(connection: Connection, batch: Sequence[tuple[Decision, Document | None]]) -> Book:
    """Everything on record that these decisions could touch."""
    book = Book()
    load_claims(connection, book, ((one.rule, one.target.site, one.target.id) for one, _ in batch))
    subjects = {
        (decision.target.site, subject_of(wish.params))
        for decision, _ in batch
        for wish in decision.wishes
        if wish.kind == TAG and wish.want is Verdict.YES  # the others touch at most what is claimed already
    }
    subjects |= {
        (claim.target.site, claim.subject)
        for mine in book.claims.values()
        for claim in mine.values()
        if claim.subject is not None and claim.kind == TAG
    }
    load_subjects(connection, book, subjects)
    keys = sorted({wish.once_key for one, _ in batch for wish in one.wishes if wish.kind != TAG and wish.once_key})
    for some in chunks(keys):
        query = select(effects.c.single, effects.c.state).where(effects.c.single.in_(some))
        for row in connection.execute(query):
            book.singles[row.single] = EffectState(row.state)
    _load_gatherings(connection, book, batch)
    return book


def _load_gatherings(connection: Connection, book: Book, batch: Sequence[tuple[Decision, Document | None]]) -> None:
    """Which effects on collections have not begun yet: they will see what is claimed now."""
    keys = {wish.once_key for one, _ in batch for wish in one.wishes if wish.kind == COLLECTION and wish.once_key}
    keys |= {one.once_key for mine in book.claims.values() for one in mine.values() if one.kind == COLLECTION}
    waiting = tuple(map(str, (EffectState.PLANNED, EffectState.WAITING, EffectState.HELD)))
    for some in chunks(sorted(keys)):
        query = select(effects.c.site, effects.c.once_key, effects.c.params).where(
            effects.c.once_key.in_(some), effects.c.state.in_(waiting), effects.c.kind == COLLECTION
        )
        for row in connection.execute(query):
            book.gathering[(row.site, row.once_key, str(unpack(row.params).get("operation")))] = None


def load_claims(connection: Connection, book: Book, owners: Iterable[Owner]) -> None:
    """Add all claims of some rules on some targets."""
    wanted = set(owners)
    for some in chunks(sorted(wanted)):
        rules, sites, targets = (sorted(set(part)) for part in zip(*some, strict=True))
        asked = {"of_rules": rules, "of_sites": sites, "of_targets": targets}
        for row in connection.execute(_CLAIMED_BY, asked).all():
            if (row.rule, row.site, row.target) in wanted:
                book.remember(row_claim(row))


def load_subjects(connection: Connection, book: Book, subjects: Iterable[Subject]) -> None:
    """Add all claims on some tags, whose they are, whether they are on their containers now, and whether someone is
    about to set them.
    """
    wanted = sorted(set(subjects))
    _load_claims_on(connection, book, wanted)
    load_marks(connection, book, wanted)
    _load_tries(connection, book, [key for key in wanted if book.marks.get(key) == "trying"])


def load_marks(connection: Connection, book: Book, subjects: Iterable[Subject]) -> None:
    """Add whose some tags are, and whether they are on their containers now."""
    wanted = sorted(set(subjects))
    _load_marks_on(connection, book, wanted)
    _load_presence(connection, book, wanted)


def load_standing(connection: Connection, book: Book, subjects: Iterable[Subject]) -> None:
    """Add all claims on some tags, and whose they are: for whoever knows the rest already."""
    wanted = sorted(set(subjects))
    _load_claims_on(connection, book, wanted)
    _load_marks_on(connection, book, wanted)


def claimed_among(connection: Connection, subjects: Iterable[Subject]) -> set[Subject]:
    """Which of some tags any claim wants. An index alone answers that, which is a tenth of the work of loading them."""
    return {
        (site, subject)
        for site, some in _by_site(sorted(set(subjects)))
        for subject in connection.scalars(_CLAIMED, {"of_site": site, "some": some}).all()
    }


def _load_claims_on(connection: Connection, book: Book, wanted: Sequence[Subject]) -> None:
    for site, some in _by_site(wanted):
        for row in connection.execute(_CLAIMS_ON, {"of_site": site, "some": some}).all():
            book.remember(row_claim(row))


def _load_marks_on(connection: Connection, book: Book, wanted: Sequence[Subject]) -> None:
    for site, some in _by_site(wanted):
        for subject, owner in connection.execute(_MARKS_ON, {"of_site": site, "some": some}).all():
            book.marks[(site, subject)] = cast("Mark", owner)


def _by_site(wanted: Sequence[Subject]) -> Iterator[tuple[str, Sequence[str]]]:
    """The tags of each site, in runs that one query takes."""
    found: dict[str, list[str]] = {}
    for site, subject in wanted:
        found.setdefault(site, []).append(subject)
    for site, mine in found.items():
        for some in chunks(mine):
            yield site, some


def _load_presence(connection: Connection, book: Book, wanted: Sequence[Subject]) -> None:
    places = {key: container_of(key[1]) for key in wanted}
    known = tags_on(connection, {NodeKey(site, Level(level), ident) for (site, _), (level, ident, _) in places.items()})
    for key, (level, ident, tag) in places.items():
        tags = known.get(NodeKey(key[0], Level(level), ident))
        book.present[key] = None if tags is None else tag in tags


def _load_tries(connection: Connection, book: Book, tried: Sequence[Subject]) -> None:
    lanes = {lane_of(site, subject): (site, subject) for site, subject in tried}
    for some in chunks(sorted(lanes)):
        for row in connection.execute(_TRIES, {"some": some}).all():
            if unpack(row.params).get("operation") == ADD:
                moving = row.state in _MOVING and row.held_for != "paused"
                book.tries.setdefault(lanes[row.lane], set()).add("moving" if moving else "held")


def store_book(connection: Connection, book: Book, now: datetime) -> None:
    """Store the claims and marks that changed."""
    gone = [key for key, claim in book.changed_claims.items() if claim is None]
    for (rule, site, target), slot in gone:
        connection.execute(
            delete(claims).where(
                and_(claims.c.rule == rule, claims.c.site == site, claims.c.target == target, claims.c.slot == slot)
            )
        )
    stamp = micros(now)
    standing = [_row(claim, stamp) for claim in book.changed_claims.values() if claim is not None]
    upsert(connection, claims, standing, ("rule", "site", "target", "slot"))
    for (site, subject), mark in book.changed_marks.items():
        if mark is None:
            connection.execute(delete(marks).where(marks.c.site == site, marks.c.subject == subject))
    kept = [
        {"site": site, "subject": subject, "owner": mark, "updated": stamp}
        for (site, subject), mark in book.changed_marks.items()
        if mark is not None
    ]
    upsert(connection, marks, kept, ("site", "subject"))
    for some in chunks(sorted(book.freed)):
        connection.execute(update(effects).where(effects.c.single.in_(some)).values(single=None))
    book.freed.clear()
    book.changed_claims.clear()
    book.changed_marks.clear()


def row_claim(row: Any) -> Claim:
    """A row of `claims`, with all columns in their order, as a claim."""
    rule, site, target, slot, kind, level, path, subject, once_key, params, over, holds, *_ = row
    about = Target(site, Level(level), target, path)
    return Claim(rule, about, slot, kind, once_key, unpack(params), over, subject, holds)


def _row(claim: Claim, stamp: int) -> dict[str, Any]:
    return {
        "rule": claim.rule,
        "site": claim.target.site,
        "target": claim.target.id,
        "slot": claim.slot,
        "kind": claim.kind,
        "level": str(claim.target.level),
        "path": claim.target.path,
        "subject": claim.subject,
        "once_key": claim.once_key,
        "params": pack(claim.params),
        "over": claim.over,
        "holds": claim.holds,
        "since": stamp,
    }
