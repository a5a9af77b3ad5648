"""Who counts as compiling on a Neuroscout server, when somebody asks for a place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select

from fakes.bench import SITE, Bench
from fakes.clock import START
from flyball.ledger.codec import micros, row_effect
from flyball.ledger.planning import effect_row
from flyball.ledger.scouting import ANALYSIS, COMPILING, known_to_attempt
from flyball.ledger.tables import attempts, effects
from flyball.model.effect import EffectState
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.rules.claims import Planned


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as made:
        yield made


def analysis(bench: Bench, name: str, state: EffectState, *, replica: str | None = None, **columns: Any) -> int:
    """An effect that makes an analysis, in a state; a running one has an open attempt. Its id."""
    target = Target(SITE, Level.MATRIX, name, name)
    planned = Planned("models", target, ANALYSIS, f"fb-{name}", "0", name, {"scout": SITE}, single=True)
    row = effect_row(planned, version="1", state=state, decision=None, now=START) | columns

    def work(connection: Connection) -> int:
        ident = int(connection.execute(insert(effects).values(**row).returning(effects.c.id)).scalar_one())
        if state is EffectState.RUNNING:
            opened = {"effect": ident, "number": 1, "started": micros(START), "replica": replica}
            connection.execute(insert(attempts).values(**opened))
        return ident

    return bench.ledger.do(work)


def counted(bench: Bench, how: str) -> list[str]:
    """Those that count, in this way, for one that is about to be taken."""
    asking = analysis(bench, f"asks who {how}", EffectState.PLANNED)

    def work(connection: Connection) -> list[str]:
        effect = row_effect(connection.execute(select(effects).where(effects.c.id == asking)).one())
        found: list[str] = known_to_attempt(connection, effect)[how]
        return sorted(found)

    return bench.ledger.do(work)


def test_those_that_compile(bench: Bench) -> None:
    """Whether they are looked at just now or not; those that wait for a place or have ended do not count."""
    waiting = analysis(bench, "waiting", EffectState.WAITING, job_state=COMPILING)
    looked_at = analysis(bench, "looked-at", EffectState.RUNNING, job_state=COMPILING)
    analysis(bench, "queued", EffectState.WAITING, job_state="queued")
    analysis(bench, "ended", EffectState.DONE, job_state=None)
    assert counted(bench, "compiling") == sorted([str(waiting), str(looked_at)])
    assert counted(bench, "perhaps") == []


def test_those_in_the_hands_of_replicas(bench: Bench) -> None:
    """Another replica may be sending the request just now. Without replicas the process itself knows."""
    taken = analysis(bench, "taken", EffectState.RUNNING, replica="host-1-abc~1")
    analysis(bench, "own", EffectState.RUNNING)
    assert counted(bench, "perhaps") == [str(taken)]


def test_those_that_ended_unclear(bench: Bench) -> None:
    """A killed daemon may have sent the request."""
    unclear = analysis(bench, "unclear", EffectState.WAITING, unclear=1)
    assert counted(bench, "perhaps") == [str(unclear)]
