"""Identifiers and time stamps as the emulated site stores them.

An object id is 24 lower-case hex digits whose first eight are the creation second, so ids sort by
time. Time stamps are kept in whole milliseconds; their JSON form has six digits of fraction, or
none at all when the fraction is zero (live19), which is what orjson writes for a datetime.
"""

import hashlib
from datetime import UTC, datetime


class Oid(str):
    """An object id in the database's sense.

    The wire spells it like any string, but a filter tells the two apart by the shape of its value,
    so what is stored has to remember which one it is.
    """

    __slots__ = ()


def stamp(moment: datetime) -> datetime:
    """The moment in UTC, cut to the millisecond, as the site stores it."""
    moment = moment.astimezone(UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def is_oid(text: object) -> bool:
    """Whether the text has the shape of an object id."""
    return isinstance(text, str) and len(text) == 24 and all(c in "0123456789abcdef" for c in text)


class IdMaker:
    """Makes ids that sort by time, the same ones for the same seed."""

    def __init__(self, seed: str) -> None:
        """Derive the constant middle part from the seed."""
        self._seed = seed
        self._middle = hashlib.sha256(seed.encode()).hexdigest()[:10]
        self._count = 0

    def oid(self, moment: datetime) -> Oid:
        """A new object id made at the moment."""
        self._count = (self._count + 1) % 0x1000000
        return Oid(f"{int(moment.timestamp()):08x}{self._middle}{self._count:06x}")

    def uuid(self) -> str:
        """A new version id for a file, in the form of a UUID."""
        self._count = (self._count + 1) % 0x1000000
        digest = hashlib.md5(f"{self._seed}/{self._count}".encode(), usedforsecurity=False).hexdigest()
        return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}"
