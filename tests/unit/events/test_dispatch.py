"""Dispatch: which looks are taken when, and what is stored of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from fakes.bench import SITE, rules_of
from fakes.clock import START, FakeClock
from fakes.ledger import MemoryLedger
from flyball.events.dispatch import Dispatcher, complete_for
from flyball.ledger.absorbing import absorb
from flyball.ledger.looking import Look, owe
from flyball.ledger.tables import decisions, looks, rules
from flyball.model.levels import Level
from unit.ledger.test_mirror import read

DO = "do: [{alert: {title: x}}]"
TEXT = f"""
rules:
  - {{id: plain, each: acquisition, since: all, if: acquisition.label == 'T1w', {DO}}}
  - {{id: below, each: session, since: all, if: len(session.acquisitions) > 0, {DO}}}
  - {{id: still, each: acquisition, since: all, mode: paused, {DO}}}
  - {{id: fresh, each: acquisition, {DO}}}
"""
CONTAINERS = {Level.PROJECT, Level.SUBJECT, Level.SESSION, Level.ACQUISITION}


class Table:
    """A dispatcher on a ledger with a small lab."""

    def __init__(self) -> None:
        self.ledger = MemoryLedger()
        self.clock = FakeClock()
        self.ready = set(Level)
        self.dispatcher = self.new()
        lab = [read("project", "p1"), read("subject", "s1"), read("session", "e1", hours=-99), read(hours=-99)]
        self.ledger.do(lambda connection: absorb(connection, lab))

    def new(self) -> Dispatcher:
        """As after a start."""
        return Dispatcher(self.ledger, self.clock, ready=lambda _, levels: set(levels) <= self.ready)

    def owe(self, rule: str, level: Level, ident: str, **more: Any) -> None:
        """A look."""
        look = Look(rule, SITE, level, ident, level, **more)
        self.ledger.do(lambda connection: owe(connection, look, event=None, now=self.clock.now()))

    def rows(self, table: Any) -> list[Any]:
        """Rows of a table."""
        return self.ledger.do(lambda connection: list(connection.execute(select(table)).all()))

    @property
    def verdicts(self) -> dict[str, str]:
        """Rule → verdict in force."""
        return {row.rule: row.verdict for row in self.rows(decisions) if row.current}


@pytest.fixture
async def table() -> AsyncIterator[Table]:
    made = Table()
    assert await made.dispatcher.load(rules_of(TEXT)) == {"plain", "below", "still", "fresh"}
    yield made
    await made.ledger.close()


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("project", "-"),
        ("session", "project subject"),
        ("session, expect: {acquisitions: [x]}", "project subject acquisition"),
        ("file", "project subject session acquisition"),
        ("file, if: len(acquisition.files) > 1", "project subject session acquisition file"),
        ("file, if: len(session.acquisitions) > 1", "project subject session acquisition file"),
        ("job", "project subject session acquisition"),
    ],
)
def test_what_must_be_complete(rule: str, wanted: str) -> None:
    """What lies above the target, and what the rule has lists of; not the target's own level, if it looks at one."""
    [made] = rules_of(f"rules: [{{id: r, each: {rule}, since: all, {DO}}}]")
    levels = complete_for(made)
    assert (" ".join(str(level) for level in Level if level in levels) or "-") == wanted


async def test_looks_wait_until_the_site_is_read_far_enough(table: Table) -> None:
    """Each rule for itself; they are due all the while."""
    table.ready = {Level.PROJECT, Level.SUBJECT, Level.SESSION}
    for rule, level, ident in (("plain", Level.ACQUISITION, "a1"), ("below", Level.SESSION, "e1")):
        table.owe(rule, level, ident)
    assert set(table.dispatcher.able()) == {"plain", "below", "fresh"}
    assert set(table.dispatcher.able_now()) == {"plain"}  # `since: now` goes by the files too
    assert await table.dispatcher.step() == 1
    assert table.verdicts == {"plain": "yes"}
    assert await table.dispatcher.step() == 0
    table.ready = CONTAINERS
    assert await table.dispatcher.step() == 1
    assert table.verdicts == {"plain": "yes", "below": "yes"}
    assert table.rows(looks) == []


async def test_what_was_read_before_news_began_to_come_is_left(table: Table) -> None:
    """The look stays owed."""
    table.owe("below", Level.SESSION, "e1")
    original = table.ledger.read

    async def reading(work: Any) -> Any:
        found = await original(work)
        table.ready = set()
        return found

    table.ledger.read = reading  # type: ignore[method-assign]
    assert await table.dispatcher.step() == 0
    table.ledger.read = original  # type: ignore[method-assign]
    table.ready = set(Level)
    assert await table.dispatcher.step() == 1


async def test_a_target_that_was_never_seen_is_unknown(table: Table) -> None:
    """And the look at it is done; the site's own news brings the next."""
    table.owe("plain", Level.ACQUISITION, "never")
    assert await table.dispatcher.step() == 1
    assert table.verdicts == {"plain": "unknown"}
    assert table.rows(looks) == []


async def test_paused_rules_do_not_look(table: Table) -> None:
    """By their file, or by a person while running."""
    table.owe("still", Level.ACQUISITION, "a1")
    assert await table.dispatcher.step() == 0
    table.ledger.do(lambda connection: connection.execute(rules.update().values(paused=True)))
    table.owe("plain", Level.ACQUISITION, "a1")
    await table.dispatcher.reload_records()
    assert table.dispatcher.able() == []
    assert await table.dispatcher.step() == 0
    assert await table.dispatcher.next_due() is None


async def test_looks_everywhere_leave_out_old_data(table: Table) -> None:
    """A rule about what comes owes none; the others owe one for each target."""
    assert await table.dispatcher.look_everywhere({"plain", "fresh", "unheard of"}) == 1
    assert [(row.rule, row.target) for row in table.rows(looks)] == [("plain", "a1")]
    assert await table.dispatcher.look_everywhere({"plain"}, site="elsewhere") == 0


async def test_the_next_time(table: Table) -> None:
    """Of the rules that may decide."""
    later = START + timedelta(hours=1)
    table.owe("plain", Level.ACQUISITION, "a1", due=later)
    assert await table.dispatcher.next_due() == later
    assert await table.dispatcher.step() == 0
    table.clock.advance(3600)
    assert await table.dispatcher.step() == 1
    assert await table.dispatcher.next_due() is None


async def test_only_new_versions_are_new(table: Table) -> None:
    """After a start with the same rules nothing has to be looked at again."""
    table.clock.advance(60)
    again = table.new()
    assert await again.load(rules_of(TEXT)) == set()
    assert again.first_seen == dict.fromkeys(("plain", "below", "still", "fresh"), START)
    changed = rules_of(TEXT.replace("'T1w'", "'T2w'"))
    assert await again.load(changed) == {"plain"}
    assert again.first_seen["plain"] == START
