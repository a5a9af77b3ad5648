"""Several replicas on a real PostgreSQL: the work is done once, whoever is killed, stopped or cut off meanwhile.

The replicas are processes of their own. Afterwards the site's data are held against what the rules demand of them.
"""

from __future__ import annotations

import hashlib
import hmac
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from flyball.adapters.store.postgres.connect import LEDGER_LOCK, NAME, lock_keys, open_connection
from support.lab import QUICK_JOBS
from support.process import STOPPED, DaemonProgram, SandboxProgram, ask, run_once, until
from support.replicas import Fleet
from support.server import Server
from support.truth import good_reports

GROWTH = {"every_s": 0.5, "scan_s": 0.05, "lacks": 0.15, "limit": 10}
SLOW_WRITES = {"kind": "slow", "delay_s": 0.3, "method": "POST"}
TAKE_OVER = 90.0  # seconds; about 5 where the replicas have the processors for themselves (it is printed)

JOINED = """
INSERT INTO replicas (id, host, process, version, started, seen)
SELECT 'ghost-1-abc~1', 'ghost', 1, '0', 0, floor(extract(epoch from clock_timestamp()) * 1000000)::bigint
"""


@pytest.fixture
def box(tmp_path: Path) -> Iterator[SandboxProgram]:
    """A site to which sessions keep coming, and whose writes take their time."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS, "growth": GROWTH}) as program:
        program.misbehave(SLOW_WRITES)
        yield program


def busy(box: SandboxProgram, writes: int = 4) -> None:
    """Wait until the replicas are in the middle of it."""
    until(lambda: box.writes() > writes, 90, "the replicas write")


def worsen(box: SandboxProgram, number: int) -> int:
    """More work: so many reports get worse; how many requests of ours that were."""
    for scan, report in good_reports(box.api("/acquisitions?limit=1000&include_all_info=true"))[:number]:
        box.api(f"/acquisitions/{scan}/files/{report}/info", "POST", {"set": {"snr": 0.5}})
    return number


def taken_over(fleet: Fleet, dead: DaemonProgram) -> int:
    """How often the others have struck a replica off."""
    return sum(f"-{dead.pid}-" in str(line["dead"]) for line in fleet.events("replica.taken_over"))


def is_listed(fleet: Fleet, member: DaemonProgram) -> bool:
    """Whether the others count on a replica. It may have been struck off already, and not know: that counts, too."""
    return bool(fleet.query(f"SELECT 1 FROM replicas WHERE strpos(id, '-{member.pid}-') > 0"))  # noqa: S608 - a number


def life(member: DaemonProgram) -> list[str]:
    """When a replica joined, and when it found that it had been struck off, in order."""
    return [line["event"] for line in member.log() if line["event"] in ("replica.fenced", "replica.joined")]


def store_is_there(member: DaemonProgram) -> bool:
    """What a replica says of its store."""
    return bool(member.ask("/readyz").json()["checks"]["store"]["ok"])


def test_kills(box: SandboxProgram, tmp_path: Path) -> None:
    """The leader is killed, then one of the others: each is replaced, nothing is lost or doubled."""
    with Fleet(tmp_path, box, Server.shared(), 3) as fleet:
        busy(box)
        assert {member.ask("/readyz").status for member in fleet.running} <= {200, 503}
        first = fleet.leader()
        for victim in (first, None):
            dead = victim or next(one for one in fleet.running if one is not fleet.leader())
            killed = time.monotonic()
            dead.kill()
            fleet.leader()
            led = time.monotonic() - killed
            until(lambda dead=dead: taken_over(fleet, dead), TAKE_OVER, "its work is taken over")  # type: ignore[misc] # bound
            took = time.monotonic() - killed
            print(f"led again after {led:.1f} s, taken over after {took:.1f} s")
        fleet.start()
        assert not fleet.settled()
        assert until(lambda: fleet.running[0].status()["replicas"] == 2, 90, "the dead are not counted")
        workers = fleet.query("SELECT DISTINCT replica FROM attempts")
        assert len(workers) >= 2, "one replica did everything"
        assert fleet.query("SELECT count(*) FROM attempts WHERE ended IS NULL") == [(0,)]


def test_stopped_for_long_and_continued(box: SandboxProgram, tmp_path: Path) -> None:
    """The leader is stopped for longer than its lease in the middle of its writes: another leads and has its work; when
    it goes on, it sends nothing of what it had begun, and joins again.
    """
    with Fleet(tmp_path, box, Server.shared(), 2) as fleet:
        busy(box)
        stopped = fleet.leader()
        other = next(one for one in fleet.running if one is not stopped)
        stopped.send(signal.SIGSTOP)
        before = life(stopped)
        until(lambda: not is_listed(fleet, stopped), TAKE_OVER, "it is struck off, and its work is taken over")
        assert fleet.leader(among=[other], seconds=TAKE_OVER) is other
        stopped.send(signal.SIGCONT)
        until(lambda: "replica.joined" in life(stopped)[len(before) + 1 :], 90, "it knows, and has joined again")
        assert not fleet.settled()
        until(lambda: other.status()["replicas"] == 2, 90, "both are counted")
        assert life(stopped)[len(before) :][:2] == ["replica.fenced", "replica.joined"]


def test_stopped_while_it_holds_the_ledger(box: SandboxProgram, tmp_path: Path) -> None:
    """A replica that was stopped in the middle of a batch of statements holds the ledger's lock, and the server takes it
    for busy: the others end its connection though all that they write waits for that lock.
    """
    with Fleet(tmp_path, box, Server.shared(), 1) as fleet:
        busy(box)
        with closing(open_connection(fleet.address, name=f"{NAME} ghost-1-abc")) as ghost:
            ghost.execute(JOINED.encode())
            ghost.execute(f"BEGIN; SELECT pg_advisory_xact_lock({lock_keys(LEDGER_LOCK)})".encode())
            ghost.pgconn.enter_pipeline_mode()
            ghost.pgconn.send_query_params(b"SELECT 1", None)
            ghost.pgconn.send_flush_request()
            ghost.pgconn.flush()
            began = time.monotonic()
            until(lambda: not fleet.query("SELECT 1 FROM replicas WHERE host = 'ghost'"), TAKE_OVER, "it is struck off")
            print(f"written again after {time.monotonic() - began:.1f} s")
        assert not fleet.settled()


def test_database_restart(box: SandboxProgram, tmp_path: Path) -> None:
    """The database is away for two seconds, at first in order and then as by a power cut: it is ridden out."""
    with Server.own() as server, Fleet(tmp_path, box, server, 2) as fleet:
        for mode in ("fast", "immediate"):
            before = box.writes()
            busy(box, before + worsen(box, 6) + 2)
            server.stop(mode)
            until(lambda: not any(map(store_is_there, fleet.running)), 90, "the trouble is shown")
            assert {member.ask("/readyz").status for member in fleet.running} == {503}
            server.start()
            until(lambda: {m.ask("/readyz").status for m in fleet.running} == {200}, 90, "ready again")
        assert not fleet.settled()
        assert len(fleet.running) == 2


@pytest.mark.slow
def test_stop_and_single_runs(tmp_path: Path) -> None:
    """A replica that is told to stop leaves within seconds, a delivery on another one is acted on wherever the leader is,
    and a single run beside them, and after them, does its part.
    """
    hook = {"hooks": {"lab": {"secret": "made-up"}}}
    rules = """
version: 1
rules:
  - {id: named, since: all, each: session, trigger: [{webhook: lab}], do: [{tag: {on: session, set: {SEEN: "true"}}}]}
"""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        with Fleet(tmp_path, box, Server.shared(), 2, **hook) as fleet:
            (fleet.config / "rules" / "named.yaml").write_text(rules)
            leader = fleet.leader()
            other = next(one for one in fleet.running if one is not leader)
            until(lambda: all("named" in one.status()["rules"] for one in fleet.running), 90, "the rule is loaded")
            fleet.idle()
            session = box.api("/sessions?limit=1")[0]["_id"]
            body = orjson.dumps({"target": f"session:{session}"})
            sign = "sha256=" + hmac.new(b"made-up", body, hashlib.sha256).hexdigest()
            headers = {"X-Hub-Signature-256": sign, "X-Delivery-Id": "1", "Content-Type": "application/json"}
            sent = time.monotonic()
            for member, status in ((other, 202), (leader, 200)):
                answer = ask(f"{member.listening()}/hooks/lab", "POST", headers=headers, body=body)
                assert answer.status == status
            until(lambda: "SEEN" in box.api(f"/sessions/{session}")["tags"], 90, "the delivery is acted on")
            print(f"delivery acted on after {time.monotonic() - sent:.2f} s")
            beside = run_once(fleet.config)
            assert beside.process.returncode == 0, beside.err[-3000:]
            leader.send(signal.SIGTERM)
            assert leader.wait(STOPPED) == 0
            assert fleet.leader(among=[other], seconds=90) is other
            until(lambda: other.status()["replicas"] == 1, 90, "it is not counted any more")
            assert not fleet.settled()
        writes = box.writes()
        after = run_once(fleet.config)
        assert after.process.returncode == 0, after.err[-3000:]
        assert box.writes() == writes


@pytest.mark.slow
def test_one_rate_for_all(tmp_path: Path) -> None:
    """Three replicas together ask a site no more often than its limit allows, whatever each of them has to do."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        limits = {"limits": {"per_second": 25, "concurrency": 8}, "poll": {"every": "50ms"}}
        with Fleet(tmp_path, box, Server.shared(), 3, site=limits):
            busy(box, 1)
            before, begun = box.requests()["total"], time.monotonic()
            time.sleep(4.0)
            number, seconds = box.requests()["total"] - before, time.monotonic() - begun
            print(f"{number} requests in {seconds:.1f} s")
            assert number <= 25 * seconds + 25
            assert number > 25
