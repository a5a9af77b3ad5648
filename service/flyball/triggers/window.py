"""The window of a stream: how far back of the newest change seen is asked again, for rows that were committed late. Pure.

A row may become visible up to the *overlap* after its time. So each round asks from the cursor less the overlap, as
long as so little lies in between that one page holds it. After a bulk import, only the newest part is asked again each
round, and the whole once more when the overlap has passed. From then on nothing can come any more at or before the
cursor, and only what is later is asked for: a quiet round costs one request, whatever happened before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

TICK = timedelta(milliseconds=1)  # the precision in which sites keep times


class Window:
    """Of one stream. It forgets everything with the process; the first round after that asks the whole overlap again.

    Args:
        overlap: how late a row may come.
        capacity: rows that are asked again without hesitation; well below a page.
    """

    def __init__(self, overlap: timedelta, capacity: int) -> None:
        self._overlap = overlap
        self._capacity = max(1, capacity)
        self._newest: datetime | None = None
        self._since = 0.0  # monotonic seconds at which the newest became the newest
        self._closed = False
        self._rows: dict[str, datetime] = {}
        self._left_out: datetime | None = None  # the newest of the rows that the window has no room for

    def start(self, reached: datetime, now: float) -> datetime:
        """From which time to ask.

        Args:
            reached: the cursor.
            now: monotonic seconds.
        """
        if reached != self._newest:
            return reached - self._overlap
        if self._closed:
            return reached + TICK
        if self._left_out is None or self._is_over(now):
            return reached - self._overlap
        return min((time for time in self._rows.values() if time > self._left_out), default=reached + TICK)

    def saw(self, rows: Iterable[tuple[str, datetime]], asked: datetime, reached: datetime, now: float) -> None:
        """A round has come to its end.

        Args:
            rows: (id, time) of what it brought.
            asked: the time from which it asked.
            reached: the cursor now.
            now: monotonic seconds.
        """
        if reached != self._newest:
            self._newest, self._since, self._closed = reached, now, False
        elif self._is_over(now) and asked <= reached - self._overlap:
            self._closed = True
            self._rows.clear()
        edge = reached - self._overlap
        self._rows = {ident: time for ident, time in self._rows.items() if time >= edge}
        if self._left_out is not None and self._left_out < edge:
            self._left_out = None
        for ident, time in rows:
            if time >= edge:
                self._rows[ident] = time
        self._make_room()

    def _make_room(self) -> None:
        if len(self._rows) <= self._capacity:
            return
        order = sorted(self._rows.items(), key=lambda item: item[1])
        out = order[: len(order) - self._capacity]
        self._rows = dict(order[len(out) :])
        self._left_out = max([out[-1][1], *([self._left_out] if self._left_out is not None else [])])

    def _is_over(self, now: float) -> bool:
        return now - self._since >= self._overlap.total_seconds()
