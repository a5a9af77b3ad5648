"""`download` of zip members from the latest complete run of a gear, and of files whose labels mean harm; `post`."""

from __future__ import annotations

import hashlib
import hmac
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flyball.ledger.history import History
from flyball.sandbox import Sandbox, Scenario
from flyball.sandbox.files import put_file
from support.lab import QUICK_JOBS, opened, write_lab
from support.receiver import Receiver

GEAR = "freesurfer-recon-all"
LAUNCH = """
version: 1
rules:
  - id: recon
    since: all
    each: session
    scope: {project: scien/tome}
    select:
      t1: {files: "file.type == 'nifti' and file.classification.Measurement == ['T1']", max: 1}
    if: len(t1) >= 1
    do:
      - launch: {gear: freesurfer-recon-all, on: session, inputs: {anatomical: "t1[0]"}}
  - id: stats
    since: all
    each: session
    scope: {project: scien/tome}
    do:
      - download: {gear: freesurfer-recon-all, member: MEMBER, to: "stats/{{ subject.label }}/{{ session.label }}/"}
"""
USERS = {"admin": {"email": "admin@example.org", "firstname": "Ada", "lastname": "Admin"}}


def zipped(members: Mapping[str, bytes]) -> bytes:
    """A zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return buffer.getvalue()


def stats(folder: Path) -> dict[str, bytes]:
    """Path → content below `stats`."""
    top = folder / "var" / "stats"
    return {str(one.relative_to(top)): one.read_bytes() for one in top.rglob("*") if one.is_file()}


@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_members_of_the_latest_run(dialect: str, tmp_path: Path) -> None:
    """When a run completes, its table comes; a later complete run's takes its place; the rest is not moved."""
    async with Sandbox(Scenario.named("lab", dialect=dialect, jobs=QUICK_JOBS)) as box:
        config = write_lab(tmp_path, box.key, LAUNCH.replace("MEMBER", '"*/aseg.stats"'))
        async with opened(config) as daemon:
            for _ in range(20):
                await daemon.run_until_idle()
                if not await daemon.jobs_running():
                    break
            await daemon.run_until_idle()
        runs = [one for one in box.site.analyses.rows.values() if one["label"].startswith(GEAR)]
        found = stats(tmp_path)
        assert len(found) == len(runs) > 5
        assert all(path.endswith("/aseg.stats") for path in found)
        assert {content[:20] for content in found.values()} == {b"# Measure BrainSeg, "}
        before = len(box.requests.last)
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert not [one for one in list(box.requests.last)[before:] if "/files/" in one.path]


@pytest.mark.parametrize(
    ("members", "error"),
    [
        ({"../../evil/aseg.stats": b"x"}, "points out of its folder"),
        ({"/etc/aseg.stats": b"x"}, "points out of its folder"),
        ({"a\\..\\aseg.stats": b"x"}, "points out of its folder"),
    ],
    ids=["up", "absolute", "windows"],
)
async def test_members_that_mean_harm(members: Mapping[str, bytes], error: str, tmp_path: Path) -> None:
    """Nothing of such a file comes, and the effect says why."""
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
        config = write_lab(tmp_path, box.key, LAUNCH.replace("MEMBER", '"*aseg.stats"'))
        stop = LAUNCH.partition("  - id: stats")[0]
        (config / "rules" / "rules.yaml").write_text(stop)
        async with opened(config) as daemon:
            for _ in range(20):
                await daemon.run_until_idle()
                if not await daemon.jobs_running():
                    break
        content = zipped(members)
        for one in list(box.site.analyses.rows.values()):
            for file in box.site.files_of(one):
                if file["name"].startswith(GEAR):
                    put_file(box.site, "analysis", one, file["name"], content=content)
        (config / "rules" / "rules.yaml").write_text(LAUNCH.replace("MEMBER", '"*aseg.stats"'))
        async with opened(config) as daemon:
            await daemon.run_until_idle()
            effects: list[Any] = (await History(daemon.store).effects(limit=1000))["results"]
        failed = [one for one in effects if one["kind"] == "download"]
        assert failed
        assert {one["state"] for one in failed} == {"failed"}
        assert all(error in one["error"] for one in failed)
        assert not stats(tmp_path)
        assert not list(tmp_path.rglob("evil"))


async def test_labels_that_mean_harm(tmp_path: Path) -> None:
    """Whatever labels say, everything stays below its folder, and files of different labels stay apart."""
    labels = [
        "../../up",
        "a/b",
        "a_b",
        "CON",
        "x" * 255,
        "dot.",
        ".hidden",
        "ünï",
        "nul\u202e",
        "",
        "~",
        "ledger.sqlite",
    ]
    subjects = [{"label": label or "?", "sessions": [{"label": label or "?"}]} for label in labels]
    scenario = {
        "groups": {"scien": "Scientific Solutions"},
        "projects": [{"group": "scien", "label": "tome", "subjects": subjects}],
        "protocol": ["T1w"],
        "users": USERS,
    }
    rule = """
    version: 1
    rules:
      - id: all
        since: all
        each: file
        do:
          - download: {to: "{{ subject.label }}/{{ session.label }}/"}
    """
    async with Sandbox(Scenario.of(scenario)) as box:
        number = len(box.site.files.rows)
        async with opened(write_lab(tmp_path, box.key, rule)) as daemon:
            await daemon.run_until_idle()
        var = tmp_path / "var"
        files = {str(one.relative_to(var)) for one in var.rglob("*") if one.is_file()}
        came = {one for one in files if "/" in one and not one.startswith(".flyball/")}
        assert number >= len(labels)
        assert len(came) == number
        assert all(len(part.encode()) <= 200 for one in came for part in one.split("/"))
        outside = [one for one in tmp_path.rglob("*") if one.is_file() and not one.is_relative_to(var)]
        assert {one.parts[len(tmp_path.parts)] for one in outside} == {"config"}


async def test_posts_are_signed_and_carry_their_key(tmp_path: Path) -> None:
    """Once for each target; after a lost answer again with the same key."""
    rule = """
    version: 1
    rules:
      - id: tell
        since: all
        each: session
        scope: {project: demo/pilot}
        do:
          - post:
              url: env:LAB_URL
              secret: env:LAB_SECRET
              body: {session: "{{ session.label }}", nested: {n: 1, list: ["{{ subject.label }}"]}}
        retry: {attempts: 9, backoff: [10ms, 20ms]}
    """
    with Receiver(lambda number: 0 if number == 0 else 503 if number == 1 else 200) as receiver:
        environment = {"LAB_URL": receiver.url, "LAB_SECRET": "s3cret-of-the-lab"}
        async with Sandbox(Scenario.named("lab")) as box:
            config = write_lab(tmp_path, box.key, rule)
            for _ in range(2):
                async with opened(config, environment) as daemon:
                    assert await daemon.run_until_idle()
                    effects: list[Any] = (await History(daemon.store).effects(limit=100))["results"]
            sessions = [
                row
                for row in box.site.sessions.rows.values()
                if box.site.get("project", row["parents"]["project"])["label"] == "pilot"
            ]
    answered = [message for message in receiver.messages if message.answered]
    assert len(answered) == len(sessions) == len({message.key for message in answered})
    assert {message.key for message in receiver.messages} == {message.key for message in answered}
    assert len(receiver.messages) == len(answered) + 2
    for message in answered:
        digest = hmac.new(b"s3cret-of-the-lab", message.raw, hashlib.sha256).hexdigest()
        assert message.headers["x-hub-signature-256"] == f"sha256={digest}"
        assert message.body["id"] == message.key
        assert message.body["nested"]["n"] == 1
    assert "s3cret" not in str(effects)
