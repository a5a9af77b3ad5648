"""Neuroscout analyses in trouble: lost answers, queues that are away, people in between, edited rules, taken back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.ledger.history import History
from flyball.ledger.reopening import forget
from flyball.ledger.steering import retry
from flyball.ledger.undoing import undo
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened
from support.scout import MATRIX, QUICK, made, names_of, write_scout_lab

ONE = """
rules:
  - id: one
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {{film: {films}}}
    do:
      - neuroscout.analysis: {{name: "{{{{ film }}}}", dataset: Life, predictors: [{predictors}], {more}}}
"""


def one(predictors: str = "rmse", more: str = "compile: true", films: str = "[a]") -> str:
    """A rule with one analysis a film."""
    return ONE.format(predictors=predictors, more=more, films=films)


@pytest.fixture
async def box() -> AsyncIterator[Sandbox]:
    """Both emulated sites, the Neuroscout server a quick one."""
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": QUICK})) as sandbox:
        yield sandbox


async def effects(daemon: Daemon, **filters: Any) -> list[dict[str, Any]]:
    """Effects of the ledger, newest first."""
    return list((await History(daemon.store).effects(limit=1000, **filters))["results"])


async def said(daemon: Daemon, work: Any, **params: Any) -> Any:
    """Carry out one steering verb, as the command line does."""
    return await daemon.store.write(partial(work, now=daemon.clock.now(), **params))


async def round_of(daemon: Daemon) -> dict[str, Any]:
    """Decide and act until nothing is due, without waiting for the server; the newest effect then."""
    await daemon.look()
    async with asyncio.TaskGroup() as tasks:
        while await daemon.dispatcher.step() or await daemon.crew.step(tasks) or daemon.crew.under_way:
            await asyncio.sleep(0.01)
    return (await effects(daemon))[0]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "reset_after", "count": 3},
        {"kind": "reset_before", "count": 2},
        {"kind": "status", "status": 502, "commit": True, "count": 2},
        {"kind": "status", "status": 500, "count": 2},
    ],
    ids=["answer lost", "request lost", "502 although done", "500"],
)
async def test_an_answer_that_does_not_arrive_doubles_nothing(
    box: Sandbox, tmp_path: Path, fault: dict[str, Any]
) -> None:
    """The first POSTs of analyses break off: in the end there is one of each, and it has passed."""
    box.faults.add(site="neuroscout", method="POST", path="^/analyses", **fault)
    async with opened(write_scout_lab(tmp_path, box, MATRIX)) as daemon:
        assert await daemon.run_until_idle()
        done = await effects(daemon)
    assert {effect["state"] for effect in done} == {"done"}, [effect["error"] for effect in done]
    assert set(names_of(box).values()) == {1}
    assert {row.status for row in made(box)} == {"PASSED"}


async def test_a_server_that_breaks_off_each_time_is_not_asked_for_ever(box: Sandbox, tmp_path: Path) -> None:
    """Nothing is made, and after a few tries the effect fails with the reason."""
    box.faults.add(site="neuroscout", method="POST", path="^/analyses$", kind="reset_before")
    config = write_scout_lab(tmp_path, box, one(), unclear_wait={"reset": "1ms", "timeout": "1ms"})
    async with opened(config) as daemon:
        await daemon.run_until_idle()
        (effect,) = await effects(daemon)
    assert effect["state"] == "failed"
    assert "broke off 5 times" in effect["error"]
    assert box.scout_requests.by_method["POST"] <= 1 + 5
    assert not made(box)


async def test_a_compile_queue_that_is_down_is_waited_for(box: Sandbox, tmp_path: Path) -> None:
    """FAILED without a traceback is no failure: it is tried again, and passes once the queue is back."""
    box.scout.habits.broker = False
    async with opened(write_scout_lab(tmp_path, box, one())) as daemon:
        waiting = await round_of(daemon)
        assert (waiting["state"], waiting["attempts"]) == ("waiting", 1)
        assert "compile queue did not take" in waiting["error"]
        box.scout.habits.broker = True
        await said(daemon, retry, ident=waiting["id"])
        assert await daemon.run_until_idle()
        (done,) = await effects(daemon)
    assert done["state"] == "done"
    assert [row.status for row in made(box)] == ["PASSED"]


async def test_a_compile_that_does_not_end_is_told_as_stuck(box: Sandbox, tmp_path: Path) -> None:
    """With the worker away it fails after its `wait`; once the worker is back, `retry` finds it done."""
    box.scout.habits.worker = False
    async with opened(write_scout_lab(tmp_path, box, one(more="compile: true, wait: 1s"))) as daemon:
        await daemon.run_until_idle()
        (stuck,) = await effects(daemon)
        assert (stuck["state"], stuck["outcome"]["stuck"]) == ("failed", True)
        assert "has not come to an end" in stuck["error"]
        box.scout.habits.worker = True
        box.scout.work()
        await said(daemon, retry, ident=stuck["id"])
        assert await daemon.run_until_idle()
        (done,) = await effects(daemon)
    assert done["state"] == "done"
    assert len(made(box)) == 1


async def test_a_model_that_cannot_be_compiled_fails_with_the_servers_reason(box: Sandbox, tmp_path: Path) -> None:
    """The traceback is in the error and the outcome; an edit of the rule mends the same analysis."""
    bad = one(more="transformations: [{Name: Nonsense, Input: [rmse]}]")
    async with opened(write_scout_lab(tmp_path, box, bad)) as daemon:
        await daemon.run_until_idle()
        (failed,) = await effects(daemon)
    assert failed["state"] == "failed"
    assert "Nonsense" in failed["error"]
    assert "Nonsense" in failed["outcome"]["traceback"]
    async with opened(write_scout_lab(tmp_path, box, one())) as daemon:
        assert await daemon.run_until_idle()
        newest = (await effects(daemon))[0]
    assert newest["state"] == "done"
    assert [row.status for row in made(box)] == ["PASSED"]
    assert newest["once_key"] in made(box)[0].description


async def test_what_somebody_deleted_is_told_and_made_again_on_demand(box: Sandbox, tmp_path: Path) -> None:
    """A draft that waits for a place in the queue is deleted: a clear failure, and `retry` makes one new one."""
    box.scout.habits.worker = False
    config = write_scout_lab(tmp_path, box, one(films="[a, b]"), limits={"compiling": 1, "per_second": 0})
    async with opened(config) as daemon:
        await round_of(daemon)
        queued = next(effect for effect in await effects(daemon) if "waits for a place" in effect["error"])
        ident = queued["params"]["analysis"]
        box.scout.analyses.pop(ident)
        await said(daemon, retry, ident=queued["id"])
        await round_of(daemon)
        failed = next(effect for effect in await effects(daemon) if effect["id"] == queued["id"])
        assert failed["state"] == "failed"
        assert f"{ident} was deleted" in failed["error"]
        box.scout.habits.worker = True
        box.scout.work()
        await said(daemon, retry, ident=queued["id"])
        assert await daemon.run_until_idle()
    assert names_of(box) == {"a": 1, "b": 1}


async def test_an_edited_rule_changes_its_draft_and_makes_a_new_one_once_it_is_locked(
    box: Sandbox, tmp_path: Path
) -> None:
    """A draft gets the new content in place; what has passed cannot be edited, so a new one is made."""
    async with opened(write_scout_lab(tmp_path, box, one(more="compile: false"))) as daemon:
        assert await daemon.run_until_idle()
    (draft,) = made(box)
    async with opened(write_scout_lab(tmp_path, box, one("rmse, speech"))) as daemon:
        assert await daemon.run_until_idle()
        newest = (await effects(daemon))[0]
    (row,) = made(box)
    assert (row.hash_id, row.status) == (draft.hash_id, "PASSED")
    assert row.model["Steps"][0]["Model"]["X"] == ["rmse", "speech"]
    assert newest["once_key"] in row.description
    async with opened(write_scout_lab(tmp_path, box, one("brightness"))) as daemon:
        assert await daemon.run_until_idle()
    assert names_of(box) == {"a": 2}
    refusing = one("speech", "compile: true, on_locked: fail")
    async with opened(write_scout_lab(tmp_path, box, refusing)) as daemon:
        await daemon.run_until_idle()
        newest = (await effects(daemon))[0]
    assert newest["state"] == "failed"
    assert "cannot be edited any more" in newest["error"]
    assert names_of(box) == {"a": 2}


async def test_a_locked_analysis_that_holds_what_it_should_is_left_alone(box: Sandbox, tmp_path: Path) -> None:
    """An edit of the description alone makes no new one; an edit of the content does, and never a clone."""
    async with opened(write_scout_lab(tmp_path, box, one())) as daemon:
        assert await daemon.run_until_idle()
    (row,) = made(box)
    row.locked = True
    async with opened(write_scout_lab(tmp_path, box, one(more="description: why"))) as daemon:
        assert await daemon.run_until_idle()
    assert len(made(box)) == 1
    async with opened(write_scout_lab(tmp_path, box, one("speech"))) as daemon:
        assert await daemon.run_until_idle()
    assert {(one.locked, one.status) for one in made(box)} == {(True, "PASSED"), (False, "PASSED")}


async def test_a_rule_that_comes_back_to_an_earlier_text_is_followed(box: Sandbox, tmp_path: Path) -> None:
    """One draft: rmse, then speech, then rmse again."""
    for predictor in ("rmse", "speech", "rmse", "speech"):
        async with opened(write_scout_lab(tmp_path, box, one(predictor, "compile: false"))) as daemon:
            assert await daemon.run_until_idle()
        (row,) = made(box)
        assert row.model["Steps"][0]["Model"]["X"] == [predictor]


async def test_what_people_changed_is_shown_and_not_written_over(box: Sandbox, tmp_path: Path) -> None:
    """A person takes a predictor out: it is shown; a new content is written over it only when a person says so."""
    config = write_scout_lab(tmp_path, box, one("rmse, speech", "compile: false"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        (row,) = made(box)
        row.predictors = row.predictors[:1]
        await daemon.run_until_idle()
        watch = daemon.scouts.watches["scout"]
        watch.use(daemon.rules.rules)
        watch.sweep_every = timedelta(0)
        await watch.sweep_if_due()
        assert "predictors" in watch.weather.findings[0]
        assert (await effects(daemon))[0]["outcome"]["difference"] == ["predictors"]
    async with opened(write_scout_lab(tmp_path, box, one("brightness", "compile: false"))) as daemon:
        await daemon.run_until_idle()
        refused = (await effects(daemon))[0]
        assert refused["state"] == "failed"
        assert "was changed on the server" in refused["error"]
        assert len(row.predictors) == 1
    async with opened(write_scout_lab(tmp_path, box, one("FramewiseDisplacement", "compile: false"))) as daemon:
        await daemon.run_until_idle()  # a further edit does not forget what people did
        assert (await effects(daemon))[0]["state"] == "failed"
    async with opened(write_scout_lab(tmp_path, box, one("brightness", "compile: false"))) as daemon:
        await daemon.run_until_idle()
        await said(daemon, retry, ident=refused["id"])
        assert await daemon.run_until_idle()
        again = next(effect for effect in await effects(daemon) if effect["id"] == refused["id"])
        assert again["state"] == "done"
    (row,) = made(box)
    assert row.model["Steps"][0]["Model"]["X"] == ["brightness"]


async def test_undo_deletes_our_drafts_and_nothing_else(box: Sandbox, tmp_path: Path) -> None:
    """Drafts that nobody worked on go; one that a person changed stays, as do compiled ones; then they come again."""
    config = write_scout_lab(tmp_path, box, one(more="compile: false", films="[a, b, c]"))
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        edited = next(row for row in made(box) if row.name == "a")
        edited.name = "my own work"
        before = len(box.scout.analyses)
        answer = await said(daemon, undo, rule="one")
        assert (answer["queued"], answer["paused"]) == (3, True)
        assert await daemon.run_until_idle()
        states = Counter(effect["state"] for effect in await effects(daemon))
    assert [row.name for row in made(box)] == ["my own work"]
    assert len(box.scout.analyses) == before - 2
    assert states["undone"] == 2


async def test_forget_makes_another_one(box: Sandbox, tmp_path: Path) -> None:
    """The old one stays as it is."""
    async with opened(write_scout_lab(tmp_path, box, one())) as daemon:
        assert await daemon.run_until_idle()
        (done,) = await effects(daemon)
        await said(daemon, forget, ident=done["id"])
        assert await daemon.run_until_idle()
    assert names_of(box) == {"a": 2}


async def test_a_password_that_is_refused_is_told_and_loses_nothing(box: Sandbox, tmp_path: Path) -> None:
    """One login, a clear error, nothing made; with the right one it goes on at once."""
    config = write_scout_lab(tmp_path, box, MATRIX, password="wrong")
    async with opened(config) as daemon:
        assert not await daemon.run_until_idle()
        assert "does not accept `email` and `password`" in str(daemon.scouts.watches["scout"].weather.error)
        assert {effect["state"] for effect in await effects(daemon)} == {"planned"}
    assert box.scout_requests.total == 1
    async with opened(write_scout_lab(tmp_path, box, MATRIX)) as daemon:
        assert await daemon.run_until_idle()
    assert set(names_of(box).values()) == {1}
    assert len(made(box)) == 6


async def test_a_token_that_runs_out_is_renewed(box: Sandbox, tmp_path: Path) -> None:
    """Tokens of a second, and compiling takes longer: the matrix is made all the same, with a few logins."""
    box.scout.habits.token_s = 1.0
    box.scout.habits.compile_s = (2.0, 2.5)
    async with opened(write_scout_lab(tmp_path, box, MATRIX)) as daemon:
        assert await daemon.run_until_idle()
        assert {effect["state"] for effect in await effects(daemon)} == {"done"}
    assert set(names_of(box).values()) == {1}


async def test_a_server_that_goes_down_in_the_middle_is_waited_for(box: Sandbox, tmp_path: Path) -> None:
    """All answers are 503 for a while, in the middle of a compile: then everything comes to its end, once."""
    async with opened(write_scout_lab(tmp_path, box, MATRIX)) as daemon:
        await round_of(daemon)
        box.faults.add(site="neuroscout", kind="status", status=503, count=6)
        await daemon.run_until_idle()
        assert {effect["state"] for effect in await effects(daemon)} == {"done"}
    assert set(names_of(box).values()) == {1}
    assert {row.status for row in made(box)} == {"PASSED"}


async def test_unknown_names_are_told_with_what_was_probably_meant(box: Sandbox, tmp_path: Path) -> None:
    """A predictor, a dataset and a subject that there are not: nothing is sent, and each error suggests."""
    rules = """
rules:
  - id: names
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {try: [{dataset: Life, predictor: brightnes, subject: rid000001},
                   {dataset: Lief, predictor: rmse, subject: rid000001},
                   {dataset: Life, predictor: rmse, subject: rid00001}]}
    do:
      - neuroscout.analysis:
          {name: x, dataset: "{{ matrix.try.dataset }}", predictors: ["{{ matrix.try.predictor }}"],
           subjects: ["{{ matrix.try.subject }}"]}
""".replace("try", "cell")
    async with opened(write_scout_lab(tmp_path, box, rules)) as daemon:
        await daemon.run_until_idle()
        errors = " ".join(effect["error"] for effect in await effects(daemon))
    for wanted in ("mean `brightness`?", "mean `Life`?", "mean `rid0000"):
        assert wanted in errors, errors
    assert not made(box)


async def test_rules_on_analyses_hear_of_their_end(box: Sandbox, tmp_path: Path) -> None:
    """`{analysis: FAILED}`: a message for each own analysis that fails, none for those that were there before."""
    watching = """
  - id: tell
    site: scout
    trigger: [{analysis: [FAILED]}]
    each: analysis
    do:
      - alert: {channel: log, title: "{{ analysis.name }} is {{ analysis.status }}"}
"""
    bad = one(more="transformations: [{Name: Nonsense, Input: [rmse]}]") + watching
    async with opened(write_scout_lab(tmp_path, box, bad)) as daemon:
        await daemon.run_until_idle()
        told = await effects(daemon, kind="alert")
        events = (await History(daemon.store).events(limit=50))["results"]
    assert [effect["params"]["title"] for effect in told] == ["a is FAILED"]
    mine = [event for event in events if event["site"] == "scout" and event["target"]["level"] == "analysis"]
    assert {event["target"]["path"] for event in mine} >= {"a"}


async def test_rules_on_analyses_may_read_all_of_them(box: Sandbox, tmp_path: Path) -> None:
    """What lists do not show is read before anything is decided: here the number of predictors."""
    watching = """
  - id: tell
    site: scout
    trigger: [{analysis: [PASSED]}]
    each: analysis
    if: len(analysis.predictors) == 2
    do:
      - alert: {channel: log, title: "{{ analysis.name }} of {{ analysis.runs | length }} runs"}
"""
    async with opened(write_scout_lab(tmp_path, box, one("rmse, speech") + watching)) as daemon:
        await daemon.run_until_idle()
        told = await effects(daemon, kind="alert")
    assert [effect["params"]["title"] for effect in told] == ["a of 24 runs"]


async def test_the_compile_queue_is_bounded_and_few_requests_are_needed(box: Sandbox, tmp_path: Path) -> None:
    """Forty analyses, three at a time: never more are compiling, and each takes six requests at the most."""
    box.scout.habits.compile_s = (0.02, 0.05)
    films = ", ".join(f"f{number}" for number in range(40))
    config = write_scout_lab(tmp_path, box, one(films=f"[{films}]"), limits={"compiling": 3, "per_second": 0})
    peak = 0
    async with opened(config) as daemon, asyncio.TaskGroup() as tasks:
        running = tasks.create_task(daemon.run_until_idle())
        while not running.done():
            peak = max(peak, sum(row.status == "PENDING" for row in box.scout.analyses.values()))
            await asyncio.sleep(0.005)
    assert {row.status for row in made(box)} == {"PASSED"}
    assert len(made(box)) == 40
    assert 1 <= peak <= 3
    assert box.scout_requests.total <= 6 * 40


async def test_without_an_account_the_rules_wait_and_the_lab_runs(box: Sandbox, tmp_path: Path) -> None:
    """Rules on a site without an account are paused with a note; nothing is asked of the server."""
    config = write_scout_lab(tmp_path, box, MATRIX, email=None, password=None)
    lab = load_lab({}, config=config)
    assert [str(rule.mode) for rule in lab.rules.rules] == ["paused"]
    assert "has no account" in str(lab.rules.warnings[0])
    async with opened(config) as daemon:
        assert await daemon.run_until_idle()
        assert not await effects(daemon)
    assert box.scout_requests.total == 0
