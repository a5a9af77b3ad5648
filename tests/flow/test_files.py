"""`download` and `upload` on the emulated site: bytes, names, folders, versions, faults, in every way a site has."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from flyball.adapters.file_part import FilePart
from flyball.model.effect import Outcome
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import content_of, find_file, put_file
from flyball.sandbox.metadata import change_file_info
from support.killing import KILLED, Nursery, Trap
from support.lab import opened, write_lab, writes
from support.process import DaemonProgram, until

REPORTS = """
version: 1
rules:
  - id: reports
    since: all
    each: file
    scope: {project: scien/tome, file: "*mriqc.qa.html"}
    do:
      - download: {to: "qa/{{ project.label }}/{{ subject.label }}/{{ session.label }}/"}
"""
PROTOCOL = """
version: 1
rules:
  - id: protocol-sheet
    since: all
    each: project
    scope: {project: scien/*}
    do:
      - upload: {file: sheets/protocol.pdf, to: project}
"""


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    """One for the tests of this file."""
    with Nursery() as found:
        yield found


def reports(box: Sandbox) -> Counter[tuple[str, bytes]]:
    """Path below `qa` and content of each MRIQC report of the project, by the site's memory; some share a path."""
    found: Counter[tuple[str, bytes]] = Counter()
    for row in box.site.files.rows.values():
        parents = row["parents"]
        if row["name"].endswith("mriqc.qa.html") and box.site.get("project", parents["project"])["label"] == "tome":
            subject, session = (box.site.get(level, parents[level])["label"] for level in ("subject", "session"))
            found[f"tome/{subject}/{session}/{row['name']}", content_of(box.site, row)] += 1
    return found


def on_disk(folder: Path) -> Counter[tuple[str, bytes]]:
    """Path and content of every file below a folder; without what tells files apart that wanted the same place."""
    files = [one for one in folder.rglob("*") if one.is_file()]
    return Counter((re.sub("~[0-9a-f]{6}", "", str(one.relative_to(folder))), one.read_bytes()) for one in files)


@pytest.mark.parametrize(
    "switches",
    [{}, {"signed_urls": "plain"}],
    ids=["direct", "redirected"],
)
@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_files_come_to_folders_named_by_labels(dialect: str, switches: dict[str, Any], tmp_path: Path) -> None:
    """Every report, byte by byte; the second run moves nothing, also when the ledger is lost."""
    async with Sandbox(Scenario.named("lab", dialect=dialect, switches=switches)) as box:
        wanted = reports(box)
        config = write_lab(tmp_path, box.key, REPORTS)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert wanted
        assert on_disk(tmp_path / "var" / "qa") == wanted
        for ledger in (tmp_path / "var").glob("ledger*"):
            ledger.unlink()
        box.requests.clear()
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert not [one for one in box.requests.last if "/files/" in one.path and one.path.endswith(".html")]
        assert on_disk(tmp_path / "var" / "qa") == wanted


async def test_a_replaced_file_comes_anew(tmp_path: Path) -> None:
    """Its new version, in the place of the old one; the others are not asked for."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, REPORTS)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
            row = next(
                one
                for one in box.site.files.rows.values()
                if one["name"].endswith("mriqc.qa.html")
                and box.site.get("project", one["parents"]["project"])["label"] == "tome"
            )
            level = row["parent_ref"]["type"]
            put_file(box.site, level, box.site.get(level, row["parent_ref"]["id"]), row["name"], content=b"new")
            before = daemon.crew.tally.attempts.copy()
            await daemon.run_until_idle()
        assert on_disk(tmp_path / "var" / "qa") == reports(box)
        assert b"new" in [content for _, content in reports(box)]
        assert sum(daemon.crew.tally.attempts.values()) == sum(before.values()) + 1


@pytest.mark.parametrize("kind", ["truncate", "reset_after", "status"])
async def test_downloads_in_bad_weather(kind: str, tmp_path: Path) -> None:
    """Broken answers end in whole files."""
    async with Sandbox(Scenario.named("lab")) as box:
        status = {"status": 503} if kind == "status" else {}
        box.faults.add(kind=kind, method="GET", path=r"/files/.*html", rate=0.3, **status)
        config = write_lab(tmp_path, box.key, REPORTS + "    retry: {attempts: 50, backoff: [10ms, 50ms]}\n")
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        assert on_disk(tmp_path / "var" / "qa") == reports(box)


@pytest.mark.parametrize("hashed", [True, False], ids=["hashed", "no-hash"])
@pytest.mark.parametrize("left", ["some", "all", "more", "other"])
async def test_a_begun_download_is_gone_on_with(
    left: str, hashed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a kill left of a file, also all of it, one attempt is enough; what came is not asked for again."""
    async with Sandbox(Scenario.named("lab")) as box:
        for row in box.site.files.rows.values():
            if not hashed:
                row["hash"] = None
        rows = box.site.files.rows.values()
        whole = {(one["parent_ref"]["id"], one["name"]): content_of(box.site, one) for one in rows}
        begun: list[str] = []
        make = FilePart.__init__

        def kept(part: FilePart, root: Path, folders: Sequence[str], name: str, key: str) -> None:
            make(part, root, folders, name, key)
            _, container, file, *_ = key.split("/")
            content = whole[container, file]
            part.add({"some": content[:9], "all": content, "more": content + b"x", "other": content[::-1]}[left])
            begun.append(key)

        monkeypatch.setattr(FilePart, "__init__", kept)
        config = write_lab(tmp_path, box.key, REPORTS)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
            assert sum(daemon.crew.tally.attempts.values()) == len(begun) > 0
        assert on_disk(tmp_path / "var" / "qa") == reports(box)
        asked = [one for one in box.requests.last if "/files/" in one.path and one.path.endswith(".html")]
        assert len(asked) == (0 if left == "all" and hashed else len(begun))


def sheet(config: Path, content: bytes) -> None:
    """Write the local file."""
    (config / "sheets").mkdir(exist_ok=True)
    (config / "sheets" / "protocol.pdf").write_bytes(content)


@pytest.mark.parametrize(
    "switches",
    [{}, *({"signed_urls": one} for one in ("plain", "s3", "gcs", "azure"))],
    ids=["form", "plain", "s3", "gcs", "azure"],
)
async def test_a_replaced_file_keeps_what_people_wrote(switches: dict[str, Any], tmp_path: Path) -> None:
    """A changed local file makes a new version with the info, tags and classification of the old one."""
    async with Sandbox(Scenario.named("lab", switches=switches)) as box:
        config = write_lab(tmp_path, box.key, PROTOCOL)
        sheet(config, b"first")
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        projects = [row for row in box.site.projects.rows.values() if row["group"] == "scien"]
        assert projects
        for project in projects:
            file = find_file(box.site, project, "protocol.pdf")
            assert file is not None
            assert content_of(box.site, file) == b"first"
            change_file_info(box.site, file, {"set": {"approved": "by ann"}})
            file["tags"], file["classification"], file["modality"] = ["signed"], {"Intent": ["Structural"]}, "MR"
        sheet(config, b"second" * 100_000)
        async with opened(config) as daemon:
            assert await daemon.run_until_idle()
        for project in projects:
            file = find_file(box.site, project, "protocol.pdf")
            assert file is not None
            assert hashlib.sha256(content_of(box.site, file)).digest() == hashlib.sha256(b"second" * 100_000).digest()
            assert (file["version"], file["info"], file["tags"]) == (2, {"approved": "by ann"}, ["signed"])
            assert (file["classification"], file["modality"]) == ({"Intent": ["Structural"]}, "MR")
        box.requests.clear()
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert writes(box) == 0


async def test_the_same_content_is_not_sent(tmp_path: Path) -> None:
    """A person uploaded it already, and the ledger knows nothing."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, PROTOCOL)
        sheet(config, b"the same")
        for project in box.site.projects.rows.values():
            put_file(box.site, "project", project, "protocol.pdf", content=b"the same")
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert writes(box) == 0


@pytest.mark.parametrize("kind", ["reset_after", "reset_before"])
async def test_uploads_whose_answer_is_lost(kind: str, tmp_path: Path) -> None:
    """One version, with what people wrote, whatever happened to the answer."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, PROTOCOL)
        sheet(config, b"second")
        for project in box.site.projects.rows.values():
            put_file(box.site, "project", project, "protocol.pdf", content=b"first", info={"by": "ann"}, tags=["x"])
        box.faults.add(kind=kind, method="POST", path="/files$", count=2)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        for project in (row for row in box.site.projects.rows.values() if row["group"] == "scien"):
            file = find_file(box.site, project, "protocol.pdf")
            assert file is not None
            assert (content_of(box.site, file), file["version"]) == (b"second", 2)
            assert (file["info"], file["tags"]) == ({"by": "ann"}, ["x"])


async def test_an_edited_local_file_is_sent_while_running(tmp_path: Path) -> None:
    """The daemon notices the file that a rule names, as it notices the rule's own."""
    async with Sandbox(Scenario.named("lab")) as box:
        config = write_lab(tmp_path, box.key, PROTOCOL)
        sheet(config, b"first")

        def sheets() -> set[bytes]:
            rows = [row for row in box.site.projects.rows.values() if row["group"] == "scien"]
            found = [find_file(box.site, row, "protocol.pdf") for row in rows]
            return {content_of(box.site, one) for one in found if one is not None}

        with await asyncio.to_thread(DaemonProgram, config):
            await asyncio.to_thread(until, lambda: sheets() == {b"first"}, 30, "the first sheet on every project")
            sheet(config, b"second")
            await asyncio.to_thread(until, lambda: sheets() == {b"second"}, 30, "the second sheet on every project")


@pytest.mark.parametrize("number", [1, 3, 20, 60])
async def test_uploads_and_downloads_survive_kills(number: int, nursery: Nursery, tmp_path: Path) -> None:
    """Killed in the middle of many and started again: whole files, one new version, what people wrote, and soon."""
    async with Sandbox(Scenario.named("lab")) as box:
        rules = PROTOCOL + REPORTS.partition("rules:\n")[2]
        config = write_lab(tmp_path, box.key, rules)
        sheet(config, b"second" * 50_000)
        for project in box.site.projects.rows.values():
            put_file(box.site, "project", project, "protocol.pdf", content=b"first", info={"by": "ann"}, tags=["x"])
        trap = Trap(box, number, "carried out", lambda method, path: method != "GET" or path.endswith(".html"))
        trap.victim = nursery.start(config)
        assert await trap.victim.end() == KILLED, trap.victim.log
        await trap.disarm()
        async with opened(config) as again:
            assert await again.run_until_idle()
            ended = {outcome for _, outcome in again.crew.tally.attempts}
        assert not ended & {Outcome.TRANSIENT, Outcome.PERMANENT}, ended  # nobody had to wait for a second attempt
        for project in (row for row in box.site.projects.rows.values() if row["group"] == "scien"):
            file = find_file(box.site, project, "protocol.pdf")
            assert file is not None
            assert content_of(box.site, file) == b"second" * 50_000
            assert (file["version"], file["info"], file["tags"]) == (2, {"by": "ann"}, ["x"])
        assert on_disk(tmp_path / "var" / "qa") == reports(box)
