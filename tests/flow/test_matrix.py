"""Rules with a matrix, all the way: cells as targets, one rule for each cell, and what becomes of cells taken out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from fakes.clock import FakeClock
from flyball.answers import Answers
from flyball.app import Daemon
from flyball.asking import find_keys, plan, why_all
from flyball.cli.common import load_lab
from flyball.clock import SystemClock
from flyball.ledger import reopening, steering
from flyball.ledger.history import History
from flyball.ledger.undoing import undo
from flyball.rules.cells import rules_named
from flyball.sandbox import Sandbox, Scenario
from flyball.triggers.webhook import signature
from support.lab import write_lab, writes

Json = dict[str, Any]
SCOUT = {"scout": {"kind": "neuroscout", "url": "http://127.0.0.1:9/api"}}
CELLS = """
rules:
  - id: models
    title: One message for each model
    each: matrix
    matrix: {matrix}
    trigger: {trigger}
    if: "predictor != 'speech'"
    do:
      - alert: {{title: "{{{{ predictor }}}} in {{{{ matrix.dataset }}}}"}}
"""
TAGS = """
rules:
  - id: motion
    since: all
    each: file
    scope: {{file: "*mriqc.qa*"}}
    matrix: {{limit: {limits}}}
    mode: {mode}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {{on: acquisition, set: {{HIGH_FD: "file.info.fd_mean > limit"}}}}
      - alert: {{title: "{{{{ acquisition.label }}}} moved more than {{{{ limit }}}} mm", when: file.info.fd_mean > limit}}
"""
BOTH = "{dataset: [Life, Sherlock], predictor: [rmse, speech]}"


def cells(matrix: str = BOTH, trigger: str = "[changed]") -> str:
    """The rule on each cell."""
    return CELLS.format(matrix=matrix, trigger=trigger)


def tags(limits: str = "[0.2, 2.5]", mode: str = "live") -> str:
    """The rule on each report, in two cells."""
    return TAGS.format(limits=limits, mode=mode)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """The lab's site."""
    async with Sandbox(Scenario.named("lab")) as sandbox:
        yield sandbox


@asynccontextmanager
async def lab_of(config: Path) -> AsyncIterator[tuple[Daemon, Path]]:
    """The daemon and its rule file, read again on demand."""
    lab = load_lab({}, config=config)
    assert not lab.rules.rejected, [str(one) for one in lab.rules.rejected]
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, reread=lab.reread) as daemon:
        yield daemon, config / "rules" / "rules.yaml"


def alone(folder: Path, rules: str) -> Path:
    """A lab with nothing but a Neuroscout server, which nobody asks anything."""
    config = write_lab(folder, "127.0.0.1:1:__force_insecure:key", rules)
    (config / "flyball.yaml").write_text(f"sites: {SCOUT}\nhttp: {{port: 0}}\n".replace("'", '"'))
    return config


async def effects(daemon: Daemon, **filters: Any) -> list[Json]:
    """Effects of the ledger, newest first."""
    return list((await History(daemon.store).effects(limit=1000, **filters))["results"])


async def said(daemon: Daemon, work: Any, **params: Any) -> Any:
    """Carry out one steering verb, as the command line does."""
    return await daemon.store.write(partial(work, now=daemon.clock.now(), **params))


async def open_alerts(daemon: Daemon) -> set[str]:
    """Titles of the open alerts."""
    return {row["title"] for row in (await History(daemon.store).alerts(state="open"))["results"]}


def tagged(box: Sandbox) -> set[str]:
    """Acquisitions with the tag."""
    return {str(ident) for ident, row in box.site.acquisitions.rows.items() if "HIGH_FD" in row["tags"]}


def moved(box: Sandbox, limit: float) -> set[str]:
    """Acquisitions with a BOLD report of more motion, read straight from the site's state."""
    return {
        str(row["parent_ref"]["id"])
        for row in box.site.files.rows.values()
        if "mriqc.qa" in row["name"]
        and "T2*" in (row["classification"].get("Measurement") or [])
        and isinstance(value := row["info"].get("fd_mean"), float)
        and value > limit
    }


async def test_cells_are_decided_without_any_site(tmp_path: Path) -> None:
    """A rule that needs no site looks at its cells at once; the daemon is idle and ready afterwards."""
    async with lab_of(alone(tmp_path, cells())) as (daemon, _):
        assert await daemon.run_until_idle()
        assert await open_alerts(daemon) == {"rmse in Life", "rmse in Sherlock"}
        answers = Answers(daemon)
        status = await answers.status()
        assert status["idle"]
        assert status["rules"]["models"]["decisions"] == {"yes": 2, "no": 2, "unknown": 0}
        assert (await answers.readiness())["status"] == "ready"
        made = await effects(daemon)
        assert {row["target"]["level"] for row in made} == {"matrix"}
        assert {row["target"]["path"] for row in made} == {
            "dataset=Life,predictor=rmse",
            "dataset=Sherlock,predictor=rmse",
        }


async def test_cells_are_not_decided_again_at_a_restart(tmp_path: Path) -> None:
    """Nothing is new: no look is owed, no alert is said again."""
    config = alone(tmp_path, cells())
    async with lab_of(config) as (daemon, _):
        await daemon.run_until_idle()
    async with lab_of(config) as (daemon, _):
        await daemon.run_until_idle()
        assert len(await effects(daemon)) == 2
        assert daemon.dispatcher.tally.decided == {}


async def test_an_edited_matrix_is_looked_at_at_once(tmp_path: Path) -> None:
    """New cells are decided; alerts of cells taken out are resolved; the others stay as they are."""
    async with lab_of(alone(tmp_path, cells())) as (daemon, file):
        await daemon.run_until_idle()
        before = {row["id"] for row in await effects(daemon)}
        file.write_text(cells("{predictor: [rmse, brightness], dataset: [Sherlock]}"))
        assert (await daemon.reload()).changed == {"models"}
        await daemon.run_until_idle()
        assert await open_alerts(daemon) == {"rmse in Sherlock", "brightness in Sherlock"}
        fresh = [row for row in await effects(daemon) if row["id"] not in before]
        assert {(row["target"]["path"], row["params"]["status"]) for row in fresh} == {
            ("dataset=Sherlock,predictor=brightness", "open"),
            ("dataset=Life,predictor=rmse", "resolved"),
        }


async def test_startup_looks_at_every_cell(tmp_path: Path) -> None:
    """Also where nothing changed."""
    config = alone(tmp_path, cells(trigger="[startup]"))
    async with lab_of(config) as (daemon, _):
        await daemon.run_until_idle()
    async with lab_of(config) as (daemon, _):
        await daemon.run_until_idle()
        assert daemon.dispatcher.tally.decided == {"models": {"yes": 2, "no": 2, "unknown": 0}}


async def test_hooks_look_at_cells(tmp_path: Path) -> None:
    """At the cell that is named; a delivery about nothing, or about something else, is about all of them."""
    config = alone(tmp_path, cells(trigger="[{webhook: lab}]"))
    with (config / "flyball.yaml").open("a") as file:
        file.write("hooks: {lab: {secret: 'env:HOOK'}}\n")
    lab = load_lab({"HOOK": "s3cret"}, config=config)
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment) as daemon:
        await daemon.run_until_idle()
        tally = daemon.dispatcher.tally.decided["models"]
        for body, more in (
            ({"target": "dataset=Life,predictor=speech"}, {"no": 1}),
            ({}, {"yes": 2, "no": 2}),
            ({"target": "session:5f0000000000000000000001"}, {"yes": 2, "no": 2}),
        ):
            before = dict(tally)
            raw = orjson.dumps(body)
            headers = {"x-hub-signature-256": signature("s3cret", raw), "content-type": "application/json"}
            assert (await daemon.hooks.receive("lab", headers, raw))[0] == 202
            await daemon.run_until_idle()
            assert {key: tally[key] - before[key] for key in tally if tally[key] != before[key]} == more


async def test_a_schedule_looks_at_every_cell(tmp_path: Path) -> None:
    """A time that was missed is caught up once."""
    config = alone(tmp_path, cells(trigger='[{schedule: "* * * * *"}]'))
    clock = FakeClock(SystemClock().now())
    lab = load_lab({}, config=config)
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment, clock=clock) as daemon:
        await daemon.run_until_idle()
        tally = daemon.dispatcher.tally.decided["models"]
        assert tally == {"yes": 2, "no": 2, "unknown": 0}
        clock.advance(600)
        await daemon.run_until_idle()
        assert tally == {"yes": 4, "no": 4, "unknown": 0}
        await daemon.run_until_idle()
        assert tally == {"yes": 4, "no": 4, "unknown": 0}


async def test_why_and_plan_name_cells(tmp_path: Path) -> None:
    """By id, and by path in any order; a cell that there is not is nothing."""
    async with lab_of(alone(tmp_path, cells())) as (daemon, _):
        rules = rules_named(daemon.rules.rules, "models")
        now = daemon.clock.now()
        keys = await find_keys(daemon.find, rules, "predictor=speech,dataset=Life")
        answer = await why_all(daemon.store, daemon.dispatcher, rules, keys, now)
        assert answer is not None
        assert (answer["decision"], answer["target"]["path"]) == ("no", "dataset=Life,predictor=speech")
        assert answer["because"][0]["values"] == {"predictor": "speech"}
        assert await find_keys(daemon.find, rules, "dataset=Nobody") == []
        whole = await plan(daemon.store, daemon.dispatcher, rules, now)
        assert whole["decisions"] == {"yes": 2, "no": 2, "unknown": 0}
        one = await plan(daemon.store, daemon.dispatcher, rules, now, only=keys)
        assert one["decisions"] == {"yes": 0, "no": 1, "unknown": 0}


async def test_history_is_asked_by_cell(tmp_path: Path) -> None:
    """Effects and decisions are found by the cell's id and by its path."""
    async with lab_of(alone(tmp_path, cells())) as (daemon, _):
        await daemon.run_until_idle()
        path = "dataset=Life,predictor=rmse"
        by_path = await effects(daemon, target=path)
        assert [row["target"]["path"] for row in by_path] == [path]
        assert await effects(daemon, target=by_path[0]["target"]["id"]) == by_path


async def test_a_rule_for_each_cell(box: Sandbox, tmp_path: Path) -> None:
    """Two cut-offs for one tag: the union counts, each cell's alerts are its own."""
    async with lab_of(write_lab(tmp_path, box.key, tags())) as (daemon, _):
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 0.2)
        titles = await open_alerts(daemon)
        assert {title.split()[-2] for title in titles} == {"0.2", "2.5"}
        assert {row["rule"] for row in await effects(daemon)} == {"motion@limit=0.2", "motion@limit=2.5"}
        assert {row["rule"] for row in await effects(daemon, rule="motion@limit=2.5")} == {"motion@limit=2.5"}
        assert len(await effects(daemon, rule="motion")) == len(await effects(daemon))
        entry = await Answers(daemon).rule("motion")
        assert entry["cells"] == ["motion@limit=0.2", "motion@limit=2.5"]


async def test_a_cell_taken_out_gives_back_what_it_kept(box: Sandbox, tmp_path: Path) -> None:
    """As an edit from tag A to B does; what another cell wants too stays. A broken edit takes nothing out."""
    async with lab_of(write_lab(tmp_path, box.key, tags())) as (daemon, file):
        await daemon.run_until_idle()
        file.write_text(tags().replace("limit: [", "limit: [["))
        assert (await daemon.reload()).kept == {"motion@limit=0.2", "motion@limit=2.5"}
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 0.2)
        file.write_text(tags("[2.5]"))
        assert (await daemon.reload()).removed == {"motion@limit=0.2"}
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 2.5)
        assert {title.split()[-2] for title in await open_alerts(daemon)} == {"2.5"}
        status = await Answers(daemon).status()
        assert status["rules"]["motion@limit=0.2"]["mode"] == "retired"


async def test_a_rule_that_gets_a_matrix_hands_its_tags_over(box: Sandbox, tmp_path: Path) -> None:
    """The rule without a matrix is gone by the edit; no tag that a cell wants is taken off and set again."""
    plain = tags("[0]").replace("    matrix: {limit: [0]}\n", "    let: {limit: '2.5'}\n")
    async with lab_of(write_lab(tmp_path, box.key, plain)) as (daemon, file):
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 2.5)
        before = writes(box)
        file.write_text(tags("[2.5]"))
        await daemon.reload()
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 2.5)
        assert writes(box) == before
        assert {row["rule"] for row in (await History(daemon.store).alerts(state="open"))["results"]} == {
            "motion@limit=2.5"
        }


async def test_a_rule_taken_out_of_the_folder_keeps_all_cells(box: Sandbox, tmp_path: Path) -> None:
    """Orphaned, until `undo` with the id in the file."""
    async with lab_of(write_lab(tmp_path, box.key, tags())) as (daemon, file):
        await daemon.run_until_idle()
        wanted = tagged(box)
        file.write_text("rules: []\n")
        await daemon.reload()
        await daemon.run_until_idle()
        assert tagged(box) == wanted
        answer = await said(daemon, undo, rule="motion")
        await daemon.run_until_idle()
        assert (tagged(box), await open_alerts(daemon)) == (set(), set())
        assert answer["rule"] == "motion"


async def test_pause_and_approve_mean_all_cells(box: Sandbox, tmp_path: Path) -> None:
    """By the id in the file."""
    async with lab_of(write_lab(tmp_path, box.key, tags(mode="approve"))) as (daemon, _):
        await daemon.run_until_idle()
        assert tagged(box) == set()
        assert {row["rule"] for row in await effects(daemon, state="held")} == {"motion@limit=0.2", "motion@limit=2.5"}
        await said(daemon, reopening.approve_rule, rule="motion")
        await daemon.run_until_idle()
        assert tagged(box) == moved(box, 0.2)
        await said(daemon, steering.pause, ident="motion")
        await daemon.dispatcher.reload_records()
        assert daemon.dispatcher.able() == []


async def test_why_of_a_rule_find_keys(box: Sandbox, tmp_path: Path) -> None:
    """One answer for all cells, with each cell's own below it."""
    async with lab_of(write_lab(tmp_path, box.key, tags())) as (daemon, _):
        await daemon.run_until_idle()
        row = (await effects(daemon, rule="motion@limit=0.2", kind="alert"))[0]
        answer = await Answers(daemon).why("motion", row["target"]["id"])
        assert (answer["rule"], answer["decision"], len(answer["cells"])) == ("motion", "yes", 2)
        assert {line["expr"].split("]")[0] for line in answer["because"]} == {"[limit=0.2", "[limit=2.5"}
        single = await Answers(daemon).why("motion@limit=2.5", row["target"]["id"])
        assert single["rule"] == "motion@limit=2.5"


async def test_a_rule_that_looks_at_another_level_lets_go_of_the_first(box: Sandbox, tmp_path: Path) -> None:
    """An edit from each acquisition to each session: the tags that the acquisitions' decisions claimed go."""
    rule = "rules: [{id: r, since: all, each: %s, do: [{tag: {on: %s, set: {SEEN: 'true'}}}]}]\n"
    async with lab_of(write_lab(tmp_path, box.key, rule % ("acquisition", "acquisition"))) as (daemon, file):
        await daemon.run_until_idle()
        assert all("SEEN" in row["tags"] for row in box.site.acquisitions.rows.values())
        file.write_text(rule % ("session", "session"))
        await daemon.reload()
        await daemon.run_until_idle()
        assert not any("SEEN" in row["tags"] for row in box.site.acquisitions.rows.values())
        assert all("SEEN" in row["tags"] for row in box.site.sessions.rows.values())


LIMITED = """
rules:
  - id: recon
    since: all
    each: subject
    matrix: {most: [1, 2]}
    let: {some: "t1[:most]"}
    select: {t1: {files: "file.type == 'nifti' and file.classification.Measurement == ['T1']"}}
    if: len(t1) >= 2
    do:
      - launch:
          gear: freesurfer-recon-all
          on: subject
          inputs: {anatomical: "some[0]", "t1w_anatomical_{n}": "some[1:]"}
          unless_ran: false
    limits: {per_day: 3}
"""


async def test_limits_are_for_all_cells_together(box: Sandbox, tmp_path: Path) -> None:
    """They protect the site, whatever the matrix; the rest waits with its reason."""
    async with lab_of(write_lab(tmp_path, box.key, LIMITED)) as (daemon, _):
        before = len(box.site.analyses.rows)
        await daemon.run_until_idle()
        assert len(box.site.analyses.rows) == before + 3
        waiting = await effects(daemon, state="planned")
        assert waiting
        assert {row["error"] for row in waiting} == {"limit: 3 launches in 24 h"}
        assert {row["rule"] for row in await effects(daemon)} == {"recon@most=1", "recon@most=2"}
