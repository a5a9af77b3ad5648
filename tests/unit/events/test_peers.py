"""Peer statistics: worked out from the mirror, frozen for a day, the same for everybody who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, insert, select, update

from flyball.adapters.store.sqlite import LEDGER_NAME, SqliteStore
from flyball.effects.catalog import KINDS
from flyball.events.dispatch import Dispatcher
from flyball.events.documents import load_documents
from flyball.events.peers import PeerBook
from flyball.ledger.codec import node_row
from flyball.ledger.peering import PAGE, load_frozen
from flyball.ledger.tables import looks, nodes
from flyball.model.decision import Decision
from flyball.model.levels import Level
from flyball.model.node import Node, NodeKey, Presence
from flyball.rules.engine import Functions
from flyball.rules.peers import Peers
from flyball.rules.profiles import Qc
from flyball.rules.reading import RuleSet, Surroundings, read_texts

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
RULES = """
profiles:
  bold:
    metrics:
      tsnr: {warn: z -3, within: [project, acquisition.label], min_n: 5}
      fd_mean: {warn: 0.5}
rules:
  - id: odd
    since: all
    each: file
    scope: {file: "*.html"}
    if: qc('bold').metrics.tsnr.level == 'warn'
    do: [{tag: {on: acquisition, set: {ODD: true}}}]
"""


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return self.time.timestamp()


def rules(text: str = RULES) -> RuleSet:
    found = read_texts({"a.yaml": text}, Surroundings(KINDS, {"main": "flywheel"}, {}))
    assert not found.rejected, str(found.rejected[0])
    return found


def node(level: Level, ident: str, parents: dict[str, str], presence: Presence = Presence.PRESENT, **doc: Any) -> Node:
    label = str(doc.get("label") or doc.get("name"))
    whole = {"id": ident, "tags": [], "info": {}, **doc}
    return Node(NodeKey("main", level, ident), label, parents, NOW, NOW, 1, whole, presence=presence)


def scan(number: int, tsnr: Any, label: str = "rest", project: str = "p1", **more: Any) -> list[Node]:
    """An acquisition with one report."""
    parents = {"group": "g", "project": project, "subject": "s", "session": "v"}
    acquisition = node(Level.ACQUISITION, f"a{number:04}", parents, label=label)
    report = node(
        Level.FILE,
        f"f{number:04}",
        {**parents, "acquisition": acquisition.id},
        name="report.html",
        info={"tsnr": tsnr},
        parent_ref={"type": "acquisition", "id": acquisition.id},
        **more,
    )
    return [acquisition, report]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """A ledger with two projects and the levels above the scans."""
    async with await SqliteStore.open(tmp_path / "data" / LEDGER_NAME) as opened:
        above = [
            node(Level.PROJECT, "p1", {"group": "g"}, label="one"),
            node(Level.PROJECT, "p2", {"group": "g"}, label="two"),
            node(Level.SUBJECT, "s", {"group": "g", "project": "p1"}, label="s"),
            node(Level.SESSION, "v", {"group": "g", "project": "p1", "subject": "s"}, label="v"),
        ]
        await put(opened, above)
        yield opened


async def put(store: SqliteStore, some: list[Node]) -> None:
    def work(connection: Connection) -> None:
        connection.execute(delete(nodes).where(nodes.c.id.in_([one.id for one in some])))
        connection.execute(insert(nodes), [node_row(one) for one in some])

    await store.write(work)


async def table(store: SqliteStore, lab: RuleSet, day: date = DAY, book: PeerBook | None = None) -> dict[Any, Peers]:
    book = book or PeerBook(store)
    await book.renew("main", [(rule, None) for rule in lab.rules], lab.functions, day=day, now=NOW)
    return peers_in(book.functions(lab.functions, "main"))


def peers_in(functions: Functions) -> dict[Any, Peers]:
    qc = functions["qc"]
    assert isinstance(qc, Qc)
    return dict(qc.peers)


async def test_by_project_and_label(store: SqliteStore) -> None:
    """Each group has its own median and MAD; values that are none do not count, and neither do other metrics."""
    scans = [scan(number, value) for number, value in enumerate([10, 20, 30, None, "much", float("nan")])]
    scans += [scan(10, 99, label="task"), scan(11, 77, project="p2"), scan(12, 5, presence=Presence.GONE)]
    await put(store, [one for pair in scans for one in pair])
    assert await table(store, rules()) == {
        ("bold", "tsnr", ("p1", "rest")): Peers("2026-11-20", 3, 20.0, 10.0),
        ("bold", "tsnr", ("p1", "task")): Peers("2026-11-20", 1, 99.0, 0.0),
        ("bold", "tsnr", ("p2", "rest")): Peers("2026-11-20", 1, 77.0, 0.0),
    }


async def test_over_many_pages(store: SqliteStore) -> None:
    """No node is lost or counted twice where pages meet."""
    count = 2 * PAGE
    await put(store, [one for number in range(count) for one in scan(number, number)])
    found = await table(store, rules())
    assert found["bold", "tsnr", ("p1", "rest")] == Peers("2026-11-20", count, (count - 1) / 2, count / 4)


async def test_frozen_for_a_day(store: SqliteStore) -> None:
    """What comes later that day changes nothing, for this daemon and for the next; the next day it does."""
    lab, book = rules(), PeerBook(store)
    await put(store, [*scan(1, 10), *scan(2, 20)])
    first = await table(store, lab, book=book)
    await put(store, scan(3, 90))
    assert await table(store, lab, book=book) == first
    assert await table(store, lab) == first
    later = await table(store, lab, DAY + timedelta(days=1), book)
    assert later["bold", "tsnr", ("p1", "rest")] == Peers("2026-11-21", 3, 20.0, 10.0)


async def test_unchanged_numbers_keep_their_date(store: SqliteStore) -> None:
    """So a decision that was made with them stays the same decision."""
    lab = rules()
    await put(store, [*scan(1, 10), *scan(2, 20, label="task")])
    await table(store, lab)
    await put(store, scan(3, 30, label="task"))
    found = await table(store, lab, DAY + timedelta(days=1))
    dates = {key[2][1]: one.date for key, one in found.items()}
    assert dates == {"rest": "2026-11-20", "task": "2026-11-21"}


async def owed(store: SqliteStore) -> int:
    return await store.read(lambda connection: int(connection.scalar(select(func.count()).select_from(looks)) or 0))


async def test_new_numbers_are_looked_at(store: SqliteStore) -> None:
    """When statistics change, the rules that use them look at all their targets; when they do not, nobody does."""
    lab = rules()
    await put(store, [*scan(1, 10), *scan(2, 20)])
    await table(store, lab)
    assert await owed(store) == 0
    await table(store, lab, DAY + timedelta(days=1))
    assert await owed(store) == 0
    await put(store, scan(3, 30))
    await table(store, lab, DAY + timedelta(days=2))
    assert await owed(store) == 3


async def test_another_meaning_is_worked_out_anew(store: SqliteStore) -> None:
    """A profile whose peer group was edited is not held against yesterday's groups; its cut-offs may move."""
    await put(store, [*scan(1, 10), *scan(2, 20, project="p2")])
    await table(store, rules())
    await put(store, scan(3, 30))
    moved = rules(RULES.replace("z -3", "z -4"))
    assert (await table(store, moved))["bold", "tsnr", ("p1", "rest")].n == 1
    wider = rules(RULES.replace("[project, acquisition.label]", "acquisition.label"))
    assert (await table(store, wider))["bold", "tsnr", ("rest",)].n == 3


async def test_whoever_is_first_on_a_day_decides(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two daemons on one ledger use the same numbers, although they looked at different moments."""
    lab = rules()
    slow, quick = PeerBook(store), PeerBook(store)
    await put(store, scan(1, 10))
    values = slow._work_out
    mine = [(rule, None) for rule in lab.rules]

    async def late(*arguments: Any) -> list[list[Any]]:
        found = await values(*arguments)
        await put(store, scan(2, 20))
        await quick.renew("main", mine, lab.functions, day=DAY, now=NOW)
        return found

    monkeypatch.setattr(slow, "_work_out", late)
    await slow.renew("main", mine, lab.functions, day=DAY, now=NOW)
    frozen = await store.read(lambda connection: load_frozen(connection, "main", "bold"))
    assert frozen is not None
    assert frozen.rows == [["tsnr", ["p1", "rest"], "2026-11-20", 2, 15.0, 5.0]]
    assert peers_in(slow.functions(lab.functions, "main")) == peers_in(quick.functions(lab.functions, "main"))


async def test_the_dispatcher_uses_them(store: SqliteStore) -> None:
    """A decision names its peers; nothing is frozen before the site has been read to the end; the next day renews."""
    clock, ready, lab = StillClock(), False, rules()
    dispatcher = Dispatcher(
        store, clock, ready=lambda site, levels: ready or Level.FILE not in levels, skew=lambda site: timedelta(0)
    )
    dispatcher.use_functions(lab.functions)
    await dispatcher.load(lab.rules)
    scans = [scan(number, value) for number, value in enumerate([48, 49, 50, 51, 52, 20])]
    await put(store, [one for pair in scans for one in pair])
    key = scans[5][1].key

    async def decision() -> Decision:
        documents = await store.read(lambda connection: load_documents(connection, [(lab.rules[0], key)]))
        assert documents[0] is not None
        return dispatcher.judge(lab.rules[0], documents[0], clock.now())

    assert await dispatcher.step() == 0
    assert str((await decision()).verdict) == "unknown"
    ready = True
    await dispatcher.look_everywhere({"odd"})
    assert await dispatcher.step() == 6
    judged = await decision()
    assert str(judged.verdict) == "yes"
    shown = judged.because[0].values["qc('bold')"]["metrics"]["tsnr"]
    assert (shown["n"], shown["median"], shown["mad"], shown["date"]) == (6, 49.5, 1.5, "2026-11-20")
    assert await dispatcher.step() == 0
    await put(store, [one for number in range(10, 20) for one in scan(number, 2 * number)])
    assert str((await decision()).verdict) == "yes"
    clock.time += timedelta(days=1)
    assert await dispatcher.step() == 16
    assert str((await decision()).verdict) == "no"


async def test_hidden_nodes_do_not_count(store: SqliteStore) -> None:
    """What may not be read any more is no peer."""
    await put(store, [*scan(1, 10), *scan(2, 20)])

    def hide(connection: Connection) -> None:
        connection.execute(update(nodes).where(nodes.c.id == "f0002").values(presence="hidden"))

    await store.write(hide)
    assert (await table(store, rules()))["bold", "tsnr", ("p1", "rest")].n == 1
