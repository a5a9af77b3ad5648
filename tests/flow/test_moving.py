"""A lab's ledger out of its database and into another one: nothing is forgotten, nothing is done again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import Connection, insert, text

from flyball.adapters.store.moving import read_in, write_out
from flyball.adapters.store.opening import open_ledger
from flyball.adapters.store.sqlite import LEDGER_NAME
from flyball.clock import SystemClock
from flyball.ledger.portable import NotPortable
from flyball.ledger.tables import effects, facts
from support.lab import NOTES, QUICK_JOBS, write_lab
from support.process import DaemonProgram, SandboxProgram, command, run_once
from support.server import Server
from support.truth import compare, over_http

STORES = ("embedded", "postgresql")


def flyball(config: Path, *arguments: str) -> Any:
    """One verb on the lab."""
    return command("--config", str(config), *arguments, folder=config.parent)


def with_store(config: Path, store: str) -> None:
    """Another ledger, an empty one."""
    told = orjson.loads((config / "flyball.yaml").read_bytes())
    told |= {"store": store, "data": "moved"}
    (config / "flyball.yaml").write_bytes(orjson.dumps(told))


@pytest.mark.parametrize("kind", [pytest.param("embedded", marks=pytest.mark.slow), "postgresql"])
def test_a_lab_moves(kind: str, tmp_path: Path) -> None:
    """To a new file or to PostgreSQL: the next run there writes nothing, and an export of it is the same again."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
        assert run_once(config).process.returncode == 0
        assert flyball(config, "ledger", "check").process.returncode == 0
        out = flyball(config, "ledger", "export", str(tmp_path / "lab.jsonl"))
        assert out.process.returncode == 0, out.err
        assert (tmp_path / "lab.jsonl").stat().st_mode & 0o077 == 0
        with_store(config, "embedded" if kind == "embedded" else Server.shared().new_database())
        taken = flyball(config, "--json", "ledger", "import", str(tmp_path / "lab.jsonl"))
        assert taken.process.returncode == 0, taken.err
        assert json.loads(taken.out)["rows"]["effects"] > 40
        again = flyball(config, "ledger", "export")
        assert again.out == (tmp_path / "lab.jsonl").read_text()
        twice = flyball(config, "ledger", "import", str(tmp_path / "lab.jsonl"))
        assert (twice.process.returncode, "not empty" in twice.err) == (1, True)
        writes = box.writes()
        assert run_once(config).process.returncode == 0
        assert box.writes() == writes
        assert not compare(over_http(box.api), notes=True)
        checked = flyball(config, "--json", "ledger", "check")
        assert json.loads(checked.out)["ok"] is True


@pytest.mark.slow
def test_a_back_up_taken_beside_a_daemon_is_put_back(tmp_path: Path) -> None:
    """It goes on from where the copy was taken, and asks the site before it repeats what came after."""
    with SandboxProgram(tmp_path, {"jobs": QUICK_JOBS}) as box:
        config = write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})
        with DaemonProgram(config) as daemon:
            daemon.idle()
            kept = flyball(config, "ledger", "export", str(tmp_path / "backup.jsonl"))
            assert kept.process.returncode == 0, kept.err
            refused = flyball(config, "ledger", "import", str(tmp_path / "backup.jsonl"))
            assert refused.process.returncode == 2
            assert str(daemon.pid) in refused.err
            scan, report = _good_report(box)
            box.api(f"/acquisitions/{scan}/files/{report}/info", "POST", {"set": {"fd_mean": 3.0}})
            daemon.idle()
        for file in (tmp_path / "var").glob(f"{LEDGER_NAME}*"):
            file.unlink()
        put_back = flyball(config, "ledger", "import", str(tmp_path / "backup.jsonl"))
        assert put_back.process.returncode == 0, put_back.err
        assert run_once(config).process.returncode == 0
        assert not compare(over_http(box.api), notes=True)


def _good_report(box: SandboxProgram) -> tuple[str, str]:
    for row in box.api("/acquisitions?limit=1000&include_all_info=true"):
        reports = [entry for entry in row["files"] if "mriqc.qa" in entry["name"]]
        if len(reports) == 1 and not row["tags"] and reports[0]["classification"].get("Measurement") == ["T2*"]:
            return str(row["_id"]), str(reports[0]["name"])
    raise AssertionError("the lab has no good report")


# The stream itself


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """An export of a small ledger, whose numbers have gone further than its rows."""

    def fill(connection: Connection) -> None:
        connection.execute(insert(facts).values(name="blob", value=bytes(range(256)), updated=1))
        row: dict[str, Any] = dict.fromkeys(
            ("site", "rule", "rule_version", "level", "target", "path", "kind", "lane", "slot"), "x"
        )
        row |= {
            "state": "done",
            "once_key": "k",
            "summary": "Übung 名前 🧠",
            "params": b"{}",
            "created": 2**52,
            "updated": 0,
        }
        row |= {"attempts": 0, "failures": 0, "unclear": 0, "looked": 0}
        connection.execute(insert(effects), [{**row, "id": 7}, {**row, "id": 900}])
        connection.execute(text("DELETE FROM effects WHERE id = 900"))

    async def make() -> None:
        store = await open_ledger("embedded", tmp_path / "first")
        await store.write(fill)
        await store.close()
        await write_out("embedded", tmp_path / "first", tmp_path / "out.jsonl")

    asyncio.run(make())
    return tmp_path / "out.jsonl"


@pytest.mark.parametrize("kind", STORES)
def test_numbers_go_on_above_those_that_were_given(kind: str, ledger: Path, tmp_path: Path) -> None:
    """A number is never given twice, also one whose row was cleared away; bytes come back as they were."""

    async def move() -> tuple[int, bytes]:
        store = "embedded" if kind == "embedded" else Server.shared().new_database()
        await read_in(store, tmp_path / "second", ledger, SystemClock().now())
        opened = await open_ledger(store, tmp_path / "second")
        try:
            return await opened.write(_next_number)
        finally:
            await opened.close()

    number, blob = asyncio.run(move())
    assert number == 901
    assert blob == bytes(range(256))


def _next_number(connection: Connection) -> tuple[int, bytes]:
    blob = connection.execute(facts.select()).one().value
    row = dict(connection.execute(effects.select()).mappings().one())
    del row["id"]
    key = connection.execute(insert(effects).values(**row)).inserted_primary_key
    assert key is not None
    return int(key[0]), bytes(blob)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda text: text[: text.rindex(b'{"end"')],
    "half a line": lambda text: text[: len(text) // 2],
    "changed": lambda text: text.replace("Übung".encode(), b"Ubung", 1),
    "a row less": lambda text: b"\n".join(line for line in text.split(b"\n") if not line.startswith(b'["facts"')),
    "something after the end": lambda text: text + b'["facts"]\n',
    "another format": lambda text: text.replace(b'"format":1', b'"format":2', 1),
    "another schema": lambda text: text.replace(b'"schema":"', b'"schema":"9', 1),
    "no export": lambda _: b'{"hello": 1}\n',
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_a_stream_that_is_not_whole_is_refused(damage: str, ledger: Path, tmp_path: Path) -> None:
    """With a reason, and nothing of it is kept."""
    ledger.write_bytes(DAMAGES[damage](ledger.read_bytes()))

    async def move() -> int:
        with pytest.raises(NotPortable):
            await read_in("embedded", tmp_path / "second", ledger, SystemClock().now())
        opened = await open_ledger("embedded", tmp_path / "second")
        try:
            return await opened.read(lambda connection: len(connection.execute(facts.select()).all()))
        finally:
            await opened.close()

    assert asyncio.run(move()) == 0
