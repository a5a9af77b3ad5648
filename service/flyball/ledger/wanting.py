"""Whether effects that are about to begin are still wanted, and what an attempt must know of the present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from flyball.ledger.alerting import OPEN, REPEAT, alert_key, message_params, open_alerts
from flyball.ledger.book import claimed_among, load_claims, load_marks
from flyball.ledger.gathering import is_needed
from flyball.ledger.limiting import LAUNCH
from flyball.ledger.scouting import known_to_attempt, takes_back
from flyball.ledger.tables import claims, effects
from flyball.model.effect import Effect
from flyball.rules.claims import ADD, ALERT, COLLECTION, TAG, Book, Claim, Subject, channels_of, subject_of

MOST_KEYS = 500  # of earlier launches of one rule on one target


class Present:
    """What the ledger knows about some effects now: claims, marks, tags on containers, open alerts.

    Attributes:
        book: the claims (not those on tags) and marks; changes of it are the caller's to store.
    """

    def __init__(self, connection: Connection, batch: Sequence[Effect]) -> None:
        self._connection = connection
        self.book = Book()
        tags = [effect for effect in batch if effect.kind == TAG]
        others = [effect for effect in batch if effect.kind != TAG]
        subjects = {(effect.site, subject_of(effect.params)) for effect in tags}
        self._claimed = claimed_among(connection, subjects)
        load_marks(connection, self.book, subjects)
        load_claims(connection, self.book, {(effect.rule, effect.site, effect.target.id) for effect in others})
        self._open = open_alerts(connection, (effect for effect in others if effect.kind == ALERT))

    def is_claimed(self, subject: Subject) -> bool:
        """Whether any claim wants a tag."""
        return subject in self._claimed

    def wants(self, effect: Effect) -> bool:
        """Whether the claims ask for the effect, and it is not so already."""
        if effect.kind == TAG:
            key = (effect.site, subject_of(effect.params))
            mark = self.book.marks.get(key)
            if effect.params["operation"] == ADD:
                return self.is_claimed(key) and mark not in ("ours", "people", "removed")
            return mark == "ours" and not self.is_claimed(key)
        if effect.kind == ALERT:
            return self._wants_message(effect)
        if takes_back(effect):
            return True  # a person asked for it
        if effect.kind == COLLECTION:
            return is_needed(self._connection, effect)
        return any(
            (claim.kind, claim.once_key) == (effect.kind, effect.once_key) for claim in self._claims_of(effect).values()
        )

    def params(self, effect: Effect, *, wanted: bool) -> dict[str, Any]:
        """The effect's parameters with what its attempt must know besides.

        `wanted`: False for one whose end is unclear and that nobody wants any more: it must not be sent again.
        Of a tag, `absent`: it was not there when its container was read last. Of an alert: text, number and
        beginning. Of a launch, `earlier_keys`: once-keys of the rule's other launches for the target.
        """
        params = {**effect.params, "wanted": wanted}
        if effect.kind == TAG:
            params["absent"] = self._absent(effect)
        elif effect.kind == ALERT:
            standing = self._open.get(alert_key(effect))
            since = None if standing is None else standing.since
            params = {**message_params(effect, self._claim(effect), since), "wanted": wanted}
        elif effect.kind == LAUNCH:
            params["earlier_keys"] = self._earlier_keys(effect)
        params |= known_to_attempt(self._connection, effect)
        return params

    def _wants_message(self, effect: Effect) -> bool:
        """Whether people on the message's channel are still to be told."""
        claim, standing = self._claim(effect), self._open.get(alert_key(effect))
        channel, status = str(effect.params["channel"]), effect.params["status"]
        claimed = claim is not None and channel in channels_of(claim.params)
        if status == OPEN:
            return claimed and (standing is None or not standing.settled(channel))
        return standing is not None and standing.knows(channel) and claimed == (status == REPEAT)

    def _absent(self, effect: Effect) -> bool:
        """After an unclear end, what was known before it counts; else what was read last."""
        stored = bool(effect.params.get("absent", False))
        if effect.unclear:
            return stored
        present = self.book.present.get((effect.site, subject_of(effect.params)))
        return stored if present is None else not present

    def _claims_of(self, effect: Effect) -> Mapping[str, Claim]:
        return self.book.claims.get((effect.rule, effect.site, effect.target.id), {})

    def _claim(self, effect: Effect) -> Claim | None:
        claim = self._claims_of(effect).get(effect.slot)
        return claim if claim is not None and claim.kind == effect.kind else None

    def _earlier_keys(self, effect: Effect) -> list[str]:
        query = (
            select(effects.c.once_key)
            .where(effects.c.target == effect.target.id, effects.c.rule == effect.rule, effects.c.kind == LAUNCH)
            .where(effects.c.once_key != effect.once_key)
            .order_by(effects.c.id.desc())
            .limit(MOST_KEYS)
        )
        return sorted({row.once_key for row in self._connection.execute(query)})


def sibling_targets(connection: Connection, effect: Effect) -> list[str]:
    """The targets for which the effect's rule wants the same entry of `do` now, in a fixed order."""
    query = select(claims.c.target, claims.c.path).where(
        claims.c.rule == effect.rule, claims.c.site == effect.site, claims.c.slot == effect.slot
    )
    rows = sorted(connection.execute(query), key=lambda row: (row.path, row.target))
    return [row.target for row in rows]
