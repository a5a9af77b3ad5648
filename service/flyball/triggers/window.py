"""The window of a stream: how far back of the newest change seen is asked again, for what was committed late. Pure.

A row may become visible up to the *overlap* after its time. So each round asks from the cursor less the overlap, as
long as so little lies in between that one page holds it. When there is more (a bulk import), only the newest part is
asked again each round, and the rest once more when the overlap has passed. Once nothing can come any more at or before
the cursor, only what is later is asked for: a quiet round costs one request, whatever happened before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

TICK = timedelta(milliseconds=1)  # the precision in which sites keep times
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)  # nothing is asked for before it


class Window:
    """Of one stream. It forgets everything with the process; the first round after that asks the whole overlap again.

    Args:
        overlap: how late a row may come.
        capacity: rows that are asked again without hesitation; well below a page.
    """

    def __init__(self, overlap: timedelta, capacity: int = 750) -> None:
        self._overlap = overlap
        self.capacity = capacity
        self._newest: datetime | None = None
        self._since = 0.0  # monotonic seconds at which the newest became the newest
        self._closed = False
        self._rows: dict[str, datetime] = {}
        self._left_out: datetime | None = None  # the newest of the rows that the window had no room for
        self._debt: datetime | None = None  # from here on something was not asked again yet
        self._debt_due = 0.0  # monotonic seconds at which it is

    def start(self, reached: datetime, now: float) -> datetime:
        """From which time to ask.

        Args:
            reached: the cursor.
            now: monotonic seconds.
        """
        edge = reached - self._overlap
        if self._newest is None:
            return edge
        if self._debt is not None and now >= self._debt_due:
            return min(self._debt, edge)
        if self._closed and reached == self._newest:
            return reached + TICK
        if self._left_out is None or self._left_out < edge:
            return edge
        return min((time for time in self._rows.values() if time > self._left_out), default=reached + TICK)

    def brought(self, rows: Iterable[tuple[str, datetime]]) -> None:
        """A page came: (id, time) of its rows."""
        self._rows |= dict(rows)
        if len(self._rows) > self.capacity:
            self._make_room()

    def ended(self, asked: datetime, before: datetime, reached: datetime, now: float) -> None:
        """A round has come to its end.

        Args:
            asked: the time from which it asked.
            before: the cursor when it began.
            reached: the cursor now.
            now: monotonic seconds.
        """
        begun = max(EPOCH, before - self._overlap)
        full = asked <= begun
        if self._debt is not None and asked <= self._debt:
            self._debt = None
        if reached != self._newest:
            self._newest, self._since, self._closed = reached, now, False
        elif full and self._debt is None and now - self._since >= self._overlap.total_seconds():
            self._closed = True
        edge = reached - self._overlap
        self._rows = {} if self._closed else {ident: time for ident, time in self._rows.items() if time >= edge}
        if self._closed or (self._left_out is not None and self._left_out < edge):
            self._left_out = None
        cut = self._left_out is not None or not (full or self._closed)
        if cut and self._debt is None:
            self._debt, self._debt_due = max(EPOCH, min(edge, begun)), now + self._overlap.total_seconds()

    def _make_room(self) -> None:
        order = sorted(self._rows.items(), key=lambda item: item[1])
        out = order[: len(order) - self.capacity]
        self._rows = dict(order[len(out) :])
        self._left_out = max([out[-1][1], *([] if self._left_out is None else [self._left_out])])
