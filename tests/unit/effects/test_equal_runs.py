"""Which runs on the site are ours, and which are equal to what is asked for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.effects.equal_runs import carries_key, equal_run, input_pairs, is_on, keys_on
from flyball.model.effect import Effect, EffectState
from flyball.model.levels import Level
from flyball.model.node import Target
from flyball.rules.keys import once_key, suffix

KEY = once_key("a")
OTHER = once_key("b")
T1 = {"type": "acquisition", "id": "a1", "name": "T1w.nii.gz"}
ASKED = {**T1, "file_id": "f1", "version": 2, "file_type": "nifti", "replaced": "2026-11-19T12:00:00+00:00"}


def launch(**params: Any) -> Effect:
    """A launch that asks for one file and one config key."""
    full = {"gear": "fs", "version": None, "inputs": {"anatomical": ASKED}, "config": {"n": 1}, **params}
    now = datetime(2026, 11, 20, tzinfo=UTC)
    target = Target("main", Level.SESSION, "e1")
    return Effect("1", "main", "recon", target, "launch", EffectState.RUNNING, KEY, "0.launch", "", full, now, now)


def job(**fields: Any) -> dict[str, Any]:
    """A job that did just that."""
    return {
        "id": "j",
        "state": "complete",
        "gear_info": {"name": "fs", "version": "1.0"},
        "inputs": {"anatomical": T1},
        "config": {"config": {"n": 1, "license": "theirs"}},
        "created": "2026-11-20T00:00:00+00:00",
        "tags": ["fs"],
        **fields,
    }


@pytest.mark.parametrize(
    ("analysis", "of_job", "ours"),
    [
        ({}, {"tags": [KEY]}, True),
        ({}, {"tags": [OTHER, KEY]}, True),
        ({"info": {"flyball": {"once_key": KEY}}}, {}, True),
        ({"label": f"x{suffix(KEY)}"}, {}, True),
        ({"label": f"x{suffix(KEY)}"}, {"tags": ["fs", "analysis"]}, True),
        ({"label": f"copy{suffix(KEY)}", "info": {"flyball": {"once_key": OTHER}}}, {}, False),
        ({"label": f"copy{suffix(KEY)}"}, {"tags": [OTHER]}, False),
        ({"label": f"{suffix(KEY)} (old)"}, {}, False),
        ({"label": None, "info": None}, {"tags": None}, False),
        ({"info": {"flyball": "x"}}, {"tags": "x"}, False),
    ],
)
def test_ours_by_key(analysis: dict[str, Any], of_job: dict[str, Any], ours: bool) -> None:
    """By tag, info or label; a label, which people copy and edit, counts only where nothing else tells."""
    assert carries_key(analysis, of_job, KEY) is ours


@pytest.mark.parametrize(
    "of_job",
    [
        job(),
        job(state="running"),
        job(state="something new"),
        job(inputs=[{"input": "anatomical", **T1}]),
        job(config={"n": 1}),
        job(created=None),
        job(inputs={"anatomical": {**T1, "file_id": "f1", "version": 2}}),
    ],
)
def test_equal(of_job: dict[str, Any]) -> None:
    """The same gear, files and config, in whatever shape the site gives it."""
    assert equal_run(launch(), {}, of_job)


@pytest.mark.parametrize(
    "of_job",
    [
        {},
        job(state="failed"),
        job(state="cancelled"),
        job(gear_info={"name": "other"}),
        job(gear_info=None),
        job(inputs={}),
        job(inputs=None),
        job(inputs={"anatomical": {**T1, "id": "a2"}}),
        job(inputs={"other": T1}),
        job(inputs={"anatomical": T1, "more": T1}),
        job(inputs={"anatomical": {**T1, "version": 1}}),
        job(config={"config": {"n": 2}}),
        job(config={"config": {"n": True}}),
        job(config={"config": {}}),
        job(config=None),
        job(config={"config": None}),
        job(created="2026-11-19T11:00:00+00:00"),
    ],
)
def test_not_equal(of_job: dict[str, Any]) -> None:
    """What differs in something that counts, ended badly, or ran before the file was replaced."""
    assert not equal_run(launch(), {}, of_job)


@pytest.mark.parametrize(
    ("asked", "records", "equal"),
    [
        ({}, [{"name": "T1w.nii.gz", "file_id": "f1", "version": 2}], True),
        ({}, [{"name": "T1w.nii.gz", "file_id": "f1", "version": 1}], False),
        ({}, [{"name": "T1w.nii.gz", "file_id": "f9", "version": 1}], True),
        ({}, ["x", None], True),
        ({"version": "v0-a"}, [{"name": "T1w.nii.gz", "hash": "v0-a"}], True),
        ({"version": "v0-a"}, [{"name": "T1w.nii.gz", "hash": "v0-b"}], False),
        ({"version": "v0-a"}, [{"name": "T1w.nii.gz", "hash": "v0-b"}, {"name": "T1w.nii.gz", "hash": "v0-a"}], True),
        ({"version": None}, [{"name": "T1w.nii.gz", "hash": "v0-b"}], True),
    ],
)
def test_the_copies_that_an_analysis_keeps_of_its_inputs(asked: dict[str, Any], records: Any, equal: bool) -> None:
    """They tell which version was used."""
    effect = launch(inputs={"anatomical": {**ASKED, **asked}})
    assert equal_run(effect, {"inputs": records}, job()) is equal


def test_a_pinned_version() -> None:
    """Only that one is equal."""
    assert equal_run(launch(version="1.0"), {}, job())
    assert not equal_run(launch(version="1.1"), {}, job())


def test_no_config_asked_for() -> None:
    """Then none is compared, and none need be seen."""
    assert equal_run(launch(config={}), {}, job(config=None))


def test_our_own_other_launches_are_no_runs_by_others() -> None:
    """They differ in what the key holds: another version, another `depends`, another generation."""
    assert not equal_run(launch(), {"info": {"flyball": {"rule": "recon", "once_key": OTHER}}}, job())
    assert not equal_run(launch(earlier_keys=[OTHER]), {}, job(tags=[OTHER]))
    assert equal_run(launch(), {"info": {"flyball": {"rule": "old-name", "once_key": OTHER}}}, job())
    assert equal_run(launch(earlier_keys=[]), {}, job(tags=[OTHER]))


def test_small_things() -> None:
    """Inputs that are none, and where a job writes to."""
    assert dict(input_pairs({"inputs": [{"input": "a", "name": "x"}, {"name": None}, 3]})) == {
        "a": {"input": "a", "name": "x"}
    }
    assert dict(input_pairs({"inputs": {"a": None, "b": {"name": "y"}}})) == {"b": {"name": "y"}}
    assert is_on({"destination": {"type": "session", "id": "e1"}}, "e1")
    assert not is_on({"destination": None}, "e1")
    assert keys_on({"info": {"flyball": {"once_key": 3}}}, {"tags": [KEY, 3]}) == {KEY}
