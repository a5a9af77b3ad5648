"""Recorded requests of the real Neuroscout server, put to the sandbox: same statuses, same answers.

Answers that the recording kept whole are compared value by value; of the others, and of production's,
names and types of fields are.
"""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from flyball.sandbox.api.call import Reply
from flyball.sandbox.scout.records import Images, User
from unit.sandbox.scout.lab import ScoutLab
from unit.sandbox.scout.recorded import RECORDED, Replay, Sample, plain, production, small_server

ABSENT = {
    3: "the query was cut short in the recording",
    30: "the query was cut short in the recording",
    31: "the query was cut short in the recording",
    32: "the query was cut short in the recording",
    60: "NeuroVault is not asked, so it cannot refuse a name",
    290: "the query was cut short in the recording",
    291: "the description of the API itself (swagger) is not emulated",
    488: "the request hung while the task queue came back",
}
"""What is not replayed, and why."""

SHAPE_ONLY = {
    86: "numbers of a predictor that was extracted from real stimuli",
}
"""Where values differ although the recording is whole, and why."""

STATUS_ONLY = {
    38: "recorded before the analysis was compiled",
    276: "the sandbox cites one paper, and briefly",
    283: "the sandbox knows only the extractors of its predictors, in their words",
    371: "the worker was quicker than the answer",
}
"""Where the answer itself differs, and why."""

SINCE_2023 = {"stimulus_id"}
"""Fields that production did not have yet when it was recorded."""


def _habits(**values: Any) -> Any:
    def act(lab: ScoutLab) -> None:
        lab.scout.habits.change(values)
        lab.scout.work()

    return act


def _analysis(name: str, **values: Any) -> Any:
    def act(lab: ScoutLab) -> None:
        row = next(a for a in lab.scout.analyses.values() if a.name == name)
        for field, value in values.items():
            setattr(row, field, value)

    return act


def _user(name: str, **values: Any) -> Any:
    def act(lab: ScoutLab) -> None:
        user: User = next(u for u in lab.scout.users.values() if u.user_name == name)
        for field, value in values.items():
            setattr(user, field, value)

    return act


def _with_images(lab: ScoutLab) -> None:
    about = dict.fromkeys(("cli_args", "cli_version", "estimator", "fmriprep_version"))
    files = [{"basename": "stat-t_statmap.nii.gz", "level": "GROUP", "status": "OK", "traceback": None}]
    lab.scout.analyses["gbp6i"].images.append(Images(9842, lab.scout.now, about, files))


BETWEEN = {
    233: _habits(compile_s=0),
    234: _habits(compile_s=[0.3, 3]),
    405: _analysis("A, with comma", locked=True),
    412: _analysis("A, with comma", locked=False, status="FAILED"),
    414: _user("testuser", disabled=True),
    416: _user("testuser", disabled=False),
    417: _habits(broker=False),
    422: _habits(broker=True),
    466: lambda lab: lab.scout.predictors.pop(23),
    497: _habits(worker=False),
    507: _habits(worker=True),
}
"""What happened between the recorded requests."""


def kind(value: Any) -> str:
    """What a client would take the value for."""
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def differences(recorded: Any, ours: Any, at: str = "") -> Iterator[str]:
    """Where two answers differ in names and types of fields."""
    if recorded is None or ours is None or at.endswith((".model", ".description", "_plot[]", "_corrplot[]")):
        return
    if isinstance(recorded, dict) and isinstance(ours, dict):
        yield from (f"{at}.{name} is missing" for name in recorded if name not in ours)
        yield from (f"{at}.{name} is new" for name in ours if name not in recorded and name not in SINCE_2023)
        if recorded.get("status") != ours.get("status"):
            yield f"{at}.status is {ours.get('status')}, was {recorded.get('status')}"
        for name in recorded.keys() & ours.keys():
            yield from differences(recorded[name], ours[name], f"{at}.{name}")
    elif isinstance(recorded, list) and isinstance(ours, list):
        if recorded and ours:
            yield from differences(recorded[0], ours[0], f"{at}[]")
        elif bool(recorded) != bool(ours):
            yield f"{at} has {len(ours)} elements, had {len(recorded)}"
    elif kind(recorded) != kind(ours):
        yield f"{at} is {kind(ours)}, was {kind(recorded)}"


def unlike(replay: Replay, sample: Sample, reply: Reply) -> list[str]:
    """In what an answer is not the recorded one."""
    if reply.status != (sample["status"] or 0):
        return [f"status {reply.status}, was {sample['status']}: {reply.raw!r}"]
    if sample["status"] is None:
        return []
    if reply.content_type != sample["answer_type"]:
        return [f"{reply.content_type}, was {sample['answer_type']}"]
    if sample["answer_type"] != "application/json" or sample["n"] in STATUS_ONLY:
        return []
    assert reply.raw is not None
    ours = orjson.loads(reply.raw)
    if sample.get("trimmed") or sample["source"] == "cassette" or sample["n"] in SHAPE_ONLY:
        return list(differences(sample["answer"], ours))
    recorded, shown = replay.plain(sample["answer"]), plain(ours)
    return [] if recorded == shown else [f"{shown}\nwas\n{recorded}"]


def like(replay: Replay, sample: Sample) -> list[str]:
    """Put a request; a GET until it answers as recorded, for as long as the server's work takes."""
    found = unlike(replay, sample, replay.put(sample))
    for _ in range(100 if sample["method"] == "GET" else 0):
        if not found:
            break
        replay.lab.later(0.05)
        found = unlike(replay, sample, replay.put(sample))
    return found


REPLAYED = [sample for sample in RECORDED if sample["n"] not in ABSENT]


@pytest.fixture(scope="module")
def found() -> dict[int, list[str]]:
    """All requests put in the order of the recording, to one server for each source: differences by number.

    Each answer depends on the requests before it, so they are put together, whichever of the tests are run.
    """
    replays = {"server": Replay(small_server(), dict(BETWEEN)), "cassette": Replay(production(), {27: _with_images})}
    return {sample["n"]: like(replays[sample["source"]], sample) for sample in REPLAYED}


@pytest.mark.parametrize(
    "number",
    [sample["n"] for sample in REPLAYED],
    ids=[f"{sample['n']:03}-{sample['source']}-{sample['call'].replace(' ', '-')}" for sample in REPLAYED],
)
def test_answers_like_the_recording(found: dict[int, list[str]], number: int) -> None:
    """Status, content type and answer."""
    assert found[number] == []
