"""`containers` on the emulated site: rows become subjects, sessions and acquisitions, once; faults are told by line."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.asking import plan
from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened, write_lab, writes

RULE = """
version: 1
rules:
  - id: subjects
    since: all
    each: project
    scope: {project: demo/pilot}
    do:
      - containers:
          csv: subjects.csv
          subject: {label: "{{ row['Subject ID'] }}", sex: "{{ row.sex }}", firstname: "{{ row.FirstName }}"}
          session: {label: Session1, age: "{{ row.age }}", info: {source: "{{ row['Subject ID'] }} of the table"}}
          acquisition: {label: Struct_T1, timestamp: "{{ row['time of scan'] }}"}
          dates: "%m/%d/%Y %H:%M"
          zone: America/New_York
          age_unit: years
"""
TABLE = """Subject ID,FirstName,sex,age,time of scan
sub001,Lisa,female,34,10/03/2019 15:32
sub002,Bart,m,23,09/23/2019 12:02
sub003,,,abc,09/23/2019 12:02
,Nobody,f,20,09/23/2019 12:02
sub004,Maggie,F,0.5,03/10/2019 02:30
sub005,=cmd(),f,,09/23/2019 12:02
sub006,Homer,male,500,09/23/2019 12:02
"sub/007","M, G",x,30,09/23/2019 12:02
sub001,Lisa,female,34,10/03/2019 15:32
"""
FAULTS = {
    4: "the age 'abc' is no number",
    5: "the subject has no label",
    6: "the time '03/10/2019 02:30' does not exist in America/New_York: the clocks were put forward",
    8: "the age '500' years is no age",
    9: "the sex 'x' is not one of female, male, other, unknown",
}


def made(box: Sandbox) -> dict[str, list[str]]:
    """Subject → paths of what is below it, of the subjects that the table names."""
    found: dict[str, list[str]] = {}
    for one in box.site.acquisitions.rows.values():
        subject = box.site.get("subject", one["parents"]["subject"])["label"]
        if subject.startswith("sub0"):
            found.setdefault(subject, []).append(f"{box.site.get('session', one['session'])['label']}/{one['label']}")
    return found


@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_good_rows_go_on(dialect: str, tmp_path: Path) -> None:
    """Each container once, with sex, age in seconds and time with zone; each fault with its line and reason."""
    async with Sandbox(Scenario.named("lab", dialect=dialect)) as box:
        config = write_lab(tmp_path, box.key, RULE)
        (config / "subjects.csv").write_text(TABLE)
        async with opened(config) as daemon:
            await daemon.look()
            planned = await plan(daemon.store, daemon.dispatcher, list(daemon.rules.rules), daemon.clock.now())
        assert not made(box)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
            effects = (await History(daemon.store).effects(limit=100))["results"]
        assert sorted(one["summary"] for one in planned["effects"]) == sorted(one["summary"] for one in effects)
        assert made(box) == {one: ["Session1/Struct_T1"] for one in ("sub001", "sub002", "sub005")}
        assert sorted(one["error"] for one in effects if one["state"] == "failed") == sorted(
            f"subjects.csv line {line}: {fault}" for line, fault in FAULTS.items()
        )
        session = next(row for row in box.site.sessions.rows.values() if row["info"].get("source"))
        assert session["age"] == 34 * 31_557_600
        scan = next(row for row in box.site.acquisitions.rows.values() if row["session"] == session["_id"])
        assert scan["timestamp"].isoformat() in ("2019-10-03T19:32:00+00:00", "2019-10-03T15:32:00-04:00")
        subject = box.site.get("subject", session["parents"]["subject"])
        assert (subject["sex"], subject["firstname"]) == ("female", "Lisa")
        box.requests.clear()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert writes(box) == 0


async def test_a_mended_row_is_made(tmp_path: Path) -> None:
    """And only that one: the table has changed, what was made stays as it is; also with the ledger lost."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, RULE)
        (config / "subjects.csv").write_text(TABLE)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        (config / "subjects.csv").write_text("\n" + TABLE.replace("abc", "41"))
        box.requests.clear()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert set(made(box)) == {"sub001", "sub002", "sub003", "sub005"}
        assert writes(box) == 3
        for ledger in (tmp_path / "var").glob("ledger*"):
            ledger.unlink()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert {len(paths) for paths in made(box).values()} == {1}
        assert writes(box) == 3


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
async def test_lost_answers(kind: str, tmp_path: Path) -> None:
    """Nothing is made twice."""
    async with Sandbox(Scenario.named("lab")) as box:
        box.faults.add(kind=kind, method="POST", path="^/(subjects|sessions|acquisitions)$", count=3)
        config = write_lab(tmp_path, box.key, RULE)
        (config / "subjects.csv").write_text(TABLE)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert made(box) == {one: ["Session1/Struct_T1"] for one in ("sub001", "sub002", "sub005")}


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        (b"a,a\n1,2\n", "two columns are named 'a'"),
        (b"\xff\xfe", "it is no UTF-8 text"),
        (b"a\n\0\n", "it holds a zero byte"),
    ],
    ids=["twice", "no-text", "zero"],
)
async def test_no_table(table: bytes, complaint: str, tmp_path: Path) -> None:
    """The rule is refused with the reason."""
    config = write_lab(tmp_path, "127.0.0.1:1:__force_insecure:key", RULE)
    (config / "subjects.csv").write_bytes(table)
    with pytest.raises(AssertionError, match=complaint):
        async with opened(config):
            pass
