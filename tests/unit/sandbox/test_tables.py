"""The indexes of a table against the plain truth, under random changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.sandbox.tables import Table

START = datetime(2026, 1, 1, tzinfo=UTC)
MOVES = st.lists(
    st.tuples(st.sampled_from(["add", "drop", "touch", "tag"]), st.integers(0, 15), st.integers(0, 60)),
    max_size=80,
)


def anchors(doc: dict[str, Any]) -> list[tuple[str, str]]:
    """The only container above a document."""
    return [("project", doc["project"])]


@given(MOVES)
@settings(max_examples=150, deadline=None)
def test_indexes_always_agree_with_the_rows(moves: list[tuple[str, int, int]]) -> None:
    """Order, ancestors, tags and the log of changes follow every change, in any order of time."""
    table = Table("_id", anchors)
    for move, number, second in moves:
        own, now = f"{number:02}", START + timedelta(seconds=second)
        doc = table.rows.get(own)
        if move == "add" and doc is None:
            table.add({"_id": own, "project": str(number % 3), "tags": [], "modified": now})
        elif doc is not None and move == "drop":
            table.drop(own)
        elif doc is not None and move == "touch":
            table.moved(doc, now)
        elif doc is not None and move == "tag":
            table.retag(doc, [*dict.fromkeys([*doc["tags"], f"t{second % 4}"])])
    rows = table.rows
    assert table.ids == sorted(rows)
    for project in "012":
        assert table.under(("project", project)) == sorted(k for k, d in rows.items() if d["project"] == project)
    for tag in ("t0", "t1", "t2", "t3"):
        assert table.tagged(tag) == sorted(k for k, d in rows.items() if tag in d["tags"])
    for second in (0, 20, 60):
        since = START + timedelta(seconds=second)
        found = [doc["_id"] for doc in table.since(since)]
        assert sorted(found) == sorted(k for k, d in rows.items() if d["modified"] >= since)
        assert table.count_since(since) >= len(found)
        times = [rows[own]["modified"] for own in found]
        assert times == sorted(times)
