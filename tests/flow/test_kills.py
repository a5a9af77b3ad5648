"""Each kind of effect that moves data or makes something, on the emulated site: its daemon is killed (SIGKILL) at each
step of the way, and after the next run the site, the disk and the lab's address have everything once.

The steps of a request: the attempt is stored and the request arrives; the site has carried it out; the answer is sent
and not stored yet. Tags, notes, alerts and launches go through the same on the bench, between any two writes of the
ledger (`tests/unit/ledger/test_every_step.py`).
"""

from __future__ import annotations

import csv
import hmac
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import content_of, find_file, put_file
from support.killing import KILLED, MOMENTS, Daemon, Moment, Nursery, Trap
from support.lab import QUICK_JOBS, opened, write_lab, writes
from support.receiver import Receiver

RULE = """
version: 1
rules:
  - id: it
    since: all
    each: EACH
    scope: {project: demo/pilot}
    do:
      - """
TABLE = "subject,session,scan\nnew-01,first,T1w\nnew-01,first,T2w\n"
SHEET = b"the new sheet " * 1000
PEOPLE: dict[str, Any] = {"info": {"by": "ann"}, "tags": ["signed"]}


def pilot(box: Sandbox) -> dict[str, Any]:
    """The project that all rules are about."""
    return next(row for row in box.site.projects.rows.values() if row["label"] == "pilot")


def below(box: Sandbox, table: str) -> list[dict[str, Any]]:
    """The project's sessions, acquisitions or files."""
    rows = getattr(box.site, table).rows.values()
    return [row for row in rows if row["parents"]["project"] == pilot(box)["_id"]]


def file_of(box: Sandbox, name: str) -> tuple[bytes, int, dict[str, Any], list[str]]:
    """What the project's file is: content, version, info, tags."""
    file = find_file(box.site, pilot(box), name)
    assert file is not None, f"{name} was lost"
    return content_of(box.site, file), file["version"], file["info"], file["tags"]


def rows_of(content: bytes) -> Counter[tuple[str, ...]]:
    """The rows of a CSV file, without its header."""
    return Counter(tuple(row) for row in list(csv.reader(content.decode().splitlines()))[1:])


def view_is_there(box: Sandbox, data: Path) -> None:
    """On disk and on the project, in place of an older one, with a row for each report that has a value."""
    reports = [row for row in below(box, "files") if row["name"].endswith("mriqc.qa.html") and "snr" in row["info"]]
    wanted = Counter((row["name"], str(row["info"]["snr"])) for row in reports)
    table = (data / "table.csv").read_bytes()
    assert rows_of(table) == wanted
    assert wanted
    assert file_of(box, "table.csv") == (table, 2, PEOPLE["info"], PEOPLE["tags"])


def report_is_there(box: Sandbox, data: Path) -> None:
    """On disk and on the project, in place of an older one, with a row for each session, and each subject without."""
    table = (data / "people.csv").read_bytes()
    subjects = {row["_id"]: row["label"] for row in below(box, "subjects")}
    with_sessions = [(row["parents"]["subject"], row["label"]) for row in below(box, "sessions")]
    without = [(ident, "") for ident in subjects.keys() - {ident for ident, _ in with_sessions}]
    labels = Counter((subjects[ident], label) for ident, label in [*with_sessions, *without])
    assert Counter({row[:2]: count for row, count in rows_of(table).items()}) == labels
    assert labels
    assert file_of(box, "people.csv") == (table, 2, PEOPLE["info"], PEOPLE["tags"])


def upload_is_there(box: Sandbox, data: Path) -> None:
    """One new version, with what people wrote on the old one."""
    assert file_of(box, "sheet.pdf") == (SHEET, 2, PEOPLE["info"], PEOPLE["tags"])


def downloads_are_there(box: Sandbox, data: Path) -> None:
    """All reports, byte by byte, and nothing that was begun."""
    reports = {row["name"]: content_of(box.site, row) for row in below(box, "files") if "mriqc.qa" in row["name"]}
    assert {one.name: one.read_bytes() for one in (data / "qa").rglob("*") if one.is_file()} == reports
    assert len(reports) > 1


def containers_are_there(box: Sandbox, data: Path) -> None:
    """Each label once below its parent, however many rows name it."""
    made = Counter(row["label"] for row in box.site.subjects.rows.values())["new-01"]
    (subject,) = (row["_id"] for row in box.site.subjects.rows.values() if row["label"] == "new-01")
    paths = [
        (box.site.get("session", row["session"])["label"], row["label"])
        for row in below(box, "acquisitions")
        if row["parents"]["subject"] == subject
    ]
    sessions = [row["label"] for row in below(box, "sessions") if row["parents"]["subject"] == subject]
    assert (made, sessions, sorted(paths)) == (1, ["first"], [("first", "T1w"), ("first", "T2w")])


def collection_is_there(box: Sandbox, data: Path) -> None:
    """One collection, and all scans are in it."""
    (found,) = (row["_id"] for row in box.site.collections.rows.values() if row["label"] == "Pilot scans")
    inside = {row["_id"] for row in box.site.acquisitions.rows.values() if found in row.get("collections", ())}
    assert inside == {row["_id"] for row in below(box, "acquisitions")}
    assert inside


def info_is_there(box: Sandbox, data: Path) -> None:
    """The key is set, and others stay."""
    assert [(row["info"]["seen"], row["info"]["by"]) for row in below(box, "sessions")] == [("ses-01", "ann")]


def note_is_there(box: Sandbox, data: Path) -> None:
    """One note on the session."""
    assert [len(row["notes"]) for row in below(box, "sessions")] == [1]


@dataclass(frozen=True, slots=True)
class Way:
    """One kind of effect.

    Attributes:
        each: what the rule is about.
        do: its entry.
        steps: requests that count, in a run that nothing befalls.
        there: holds what is there against the truth.
        counts: whether a request counts; by default what is no GET.
    """

    each: str
    do: str
    steps: int
    there: Callable[[Sandbox, Path], None]
    counts: Callable[[str, str], bool] = lambda method, path: method != "GET"


WAYS = {
    "view": Way(
        "project",
        "view: {container: acquisition, filename: '*mriqc.qa.html', missing_data_strategy: drop-row, "
        "columns: [file.name, file.info.snr], to: [disk, project], name: table.csv}",
        2,
        view_is_there,
    ),
    "report": Way(
        "project",
        "report: {kind: demographics, format: csv, to: [disk, project], name: people}",
        1,
        report_is_there,
    ),
    "containers": Way(
        "project",
        "containers: {csv: subjects.csv, subject: {label: '{{ row.subject }}'}, session: {label: '{{ row.session }}'}, "
        "acquisition: {label: '{{ row.scan }}'}}",
        4,
        containers_are_there,
    ),
    "upload": Way("project", "upload: {file: sheet.pdf, to: project}", 1, upload_is_there),
    "download": Way(
        "file",
        "download: {to: 'qa/'}\n    if: \"glob(file.name, '*mriqc.qa.html')\"",
        5,
        downloads_are_there,
        lambda _, path: "/files/" in path and path.endswith(".html"),
    ),
    "collection": Way("acquisition", "collection: {label: Pilot scans, sync: add}", 2, collection_is_there),
    "info": Way("session", "info: {on: session, set: {seen: session.label}}", 1, info_is_there),
    "note": Way("session", "note: {on: session, text: seen}", 1, note_is_there),
}
QUICK = ("view", "report", "containers", "collection")
"""Kinds that are killed at every moment in each run of the tests; the others once a step, and else in the long profile."""

STEPS = [
    pytest.param(kind, number, moment, marks=() if kind in QUICK or moment == "carried out" else pytest.mark.slow)
    for kind, way in WAYS.items()
    for number in range(1, way.steps + 1)
    for moment in MOMENTS
]


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One for the tests of this file."""
    with Nursery() as opened_:
        yield opened_


def lab_of(folder: Path, box: Sandbox, way: Way) -> Path:
    """The config folder, with the files that a rule may name; the site has older files of people's."""
    for name in ("table.csv", "people.csv", "sheet.pdf"):
        put_file(box.site, "project", pilot(box), name, content=b"old", **PEOPLE)
    for session in below(box, "sessions"):
        session["info"] = {"by": "ann"}
    config = write_lab(folder, box.key, RULE.replace("EACH", way.each) + way.do)
    (config / "subjects.csv").write_text(TABLE)
    (config / "sheet.pdf").write_bytes(SHEET)
    return config


@pytest.mark.parametrize("kind", WAYS)
async def test_the_steps_are_all_that_there_are(kind: str, nursery: Nursery, tmp_path: Path) -> None:
    """In a run that nothing befalls, so that the kills below leave no request out."""
    way = WAYS[kind]
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
        config = lab_of(tmp_path, box, way)
        trap = Trap(box, 0, "arrived", way.counts)
        trap.victim = nursery.start(config)
        assert await trap.victim.end() == 0, trap.victim.log
        way.there(box, tmp_path / "var")
        assert trap.seen == way.steps


@pytest.mark.parametrize(("kind", "number", "moment"), STEPS)
async def test_killed_at_a_step(kind: str, number: int, moment: Moment, nursery: Nursery, tmp_path: Path) -> None:
    """After the next run everything is there once; the run after that writes nothing."""
    way = WAYS[kind]
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
        config = lab_of(tmp_path, box, way)
        trap = Trap(box, number, moment, way.counts)
        trap.victim = nursery.start(config)
        assert await trap.victim.end() == KILLED, trap.victim.log
        assert trap.sprung
        await trap.disarm()
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        way.there(box, tmp_path / "var")
        box.requests.clear()
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert writes(box) == 0
        way.there(box, tmp_path / "var")


# Messages to the lab: at least once, with the same key

POST = "post: {url: env:LAB_URL, secret: env:LAB_SECRET, body: {scan: '{{ acquisition.label }}'}}"
SECRET = "a secret of the lab"


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("number", [0, 3])
async def test_killed_at_a_post(number: int, moment: Moment, nursery: Nursery, tmp_path: Path) -> None:
    """Each message comes, and one that comes again is the same, under the same key; the run after that sends nothing."""
    victims: list[Daemon] = []

    def answers(delivery: int) -> int:
        if delivery == number and moment != "answered":
            victims[0].kill()
            return 0
        return 200

    def answered(delivery: int) -> None:
        if delivery == number and moment == "answered":
            victims[0].kill()

    with Receiver(answers, answered) as receiver:
        async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
            environment = {"LAB_URL": receiver.url, "LAB_SECRET": SECRET}
            config = write_lab(tmp_path, box.key, RULE.replace("EACH", "acquisition") + POST)
            victims.append(nursery.start(config, environment))
            assert await victims[0].end() == KILLED, victims[0].log
            for _ in range(2):
                before = len(receiver.messages)
                async with opened(config, environment) as daemon:
                    assert await daemon.run_until_idle()
            assert len(receiver.messages) == before
            wanted = {str(row["_id"]): row["label"] for row in below(box, "acquisitions")}
    # What only arrived, the lab never had.
    had = [one for place, one in enumerate(receiver.messages) if moment != "arrived" or place != number]
    assert {one.target: one.body["scan"] for one in had} == wanted
    assert len({one.key for one in had}) == len({(one.key, one.raw) for one in had}) == len(wanted)
    assert max(Counter(one.key for one in receiver.messages).values()) <= 2
    for one in had:
        assert (
            one.headers["x-hub-signature-256"] == f"sha256={hmac.new(SECRET.encode(), one.raw, 'sha256').hexdigest()}"
        )
