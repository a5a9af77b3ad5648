"""Models made from names as the official client makes them; contents compared; templates inside of structures."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pyns.endpoints.utils import build_model as pyns_model

from fakes.clock import START
from flyball.clients.neuroscout.names import split_custom, without_suffix
from flyball.effects.scout.comparing import by_people, differing, prints, told
from flyball.effects.scout.model import build_model, description_of, variables_of
from flyball.effects.scout.queue import FOR_A_PLACE, SOON, CompileQueue
from flyball.rules.keys import once_key, suffix

RUNS = [
    {"id": 1, "subject": "01", "task_name": "life", "number": 1},
    {"id": 2, "subject": "02", "task_name": "life", "number": 2},
]
CONTENT: dict[str, Any] = {"name": "a", "dataset_id": 9, "model": {"Steps": [1.0]}, "predictors": [2, 1], "runs": [3]}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({}, {}),
        ({"hrf": ["rmse"]}, {"hrf_variables": ["rmse"]}),
        ({"hrf": ["rmse"], "dummy_contrasts": "hrf"}, {"hrf_variables": ["rmse"], "dummy_contrasts": "hrf"}),
        ({"dummy_contrasts": False}, {"dummy_contrasts": False}),
        (
            {"transformations": [{"Name": "Scale", "Input": ["rmse"]}], "contrasts": [{"Name": "c"}]},
            {"transformations": [{"Name": "Scale", "Input": ["rmse"]}], "contrasts": [{"Name": "c"}]},
        ),
    ],
    ids=["plain", "hrf", "hrf contrasts", "no contrasts", "transformations"],
)
def test_the_model_is_the_one_that_pyns_builds(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """For the same names, key by key."""
    mine = build_model("m", ["rmse", "speech"], RUNS, **ours)
    assert mine == pyns_model("m", ["rmse", "speech"], ["life"], ["01", "02"], runs=[1, 2], **theirs)


def test_runs_without_a_number_leave_it_out() -> None:
    """As the official client does: `Run` would choose none of them."""
    model = build_model("m", ["x"], [{"subject": "17", "task_name": "Merlin", "number": None}])
    assert model["Input"] == {"Subject": ["17"], "Task": ["Merlin"]}


def test_a_whole_model_names_its_variables() -> None:
    """What a transformation makes is no predictor, what it takes is one; the intercept is none."""
    steps = [{"Name": "Sum", "Input": ["a", "b"], "Output": "both"}, {"Name": "Convolve", "Input": ["both"]}]
    model = {"Steps": [{"Level": "Run", "Model": {"X": [1, "both", "c"]}, "Transformations": steps}]}
    assert variables_of(model) == ["c", "a", "b"]
    model["Steps"][0]["Transformations"] = {"Transformer": "pybids-transforms-v1", "Instructions": steps}
    assert variables_of(model) == ["c", "a", "b"]
    assert variables_of({}) == []


def test_contents_are_compared_by_value() -> None:
    """Neither the order of ids nor 1.0 for 1 is a difference; what the answer holds beside is none."""
    same = {**CONTENT, "predictors": [1, 2], "model": {"Steps": [1]}, "status": "DRAFT", "description": None}
    assert differing(same, CONTENT) == []
    assert prints(same) == prints(CONTENT)
    assert differing({**same, "runs": [], "name": None}, CONTENT) == ["name", "runs"]
    assert told({**same, "runs": []}, CONTENT, ["runs"]) == "runs:  (the rule: 3)"


def test_what_people_changed_is_neither_ours_nor_wanted() -> None:
    """Field by field: a half-written update of our own is no change by people."""
    sent = prints(CONTENT)
    wanted = {**CONTENT, "name": "new", "predictors": [7]}
    assert by_people(CONTENT, wanted, sent) == []
    assert by_people({**CONTENT, "name": "new"}, wanted, sent) == []
    assert by_people({**CONTENT, "predictors": [1]}, wanted, sent) == ["predictors"]
    assert by_people({**CONTENT, "predictors": [1]}, wanted, {}) == []


def test_names_and_keys() -> None:
    """A description ends in the key; collections are found without theirs."""
    key = once_key("rule", 1)
    assert description_of("Why", key) == f"Why\n\n[{key}]"
    assert description_of("", key) == f"[{key}]"
    assert without_suffix(f"raiders food{suffix(key)}") == "raiders food"
    assert without_suffix("food [fb-1]") == "food [fb-1]"
    assert split_custom("raiders food/grapes") == ("raiders food", "grapes")
    assert (split_custom("rmse"), split_custom("/x"), split_custom("x/")) == (None, None, None)


def test_the_queue_has_so_many_places() -> None:
    """Those of the ledger and those that entered here count once each; who is inside may enter again."""
    queue = CompileQueue(2)
    assert queue.enter("1", ["1"], now=START) == 0
    assert queue.enter("2", ["1"], now=START) == 0
    assert queue.enter("1", ["1", "2"], now=START) == 0
    assert queue.enter("3", [], now=START) == FOR_A_PLACE
    assert queue.enter("3", ["1", "2"], now=START) == FOR_A_PLACE
    queue.leave("1")
    assert queue.enter("3", ["1", "2"], now=START) == FOR_A_PLACE
    assert queue.enter("3", ["2"], now=START) == 0


def test_who_may_be_about_to_compile_is_waited_for_a_moment() -> None:
    """A replica that was killed, or another one, may have sent the request."""
    queue = CompileQueue(2)
    assert queue.enter("1", ["2"], ["3"], now=START) == SOON
    assert queue.enter("1", ["2"], ["1"], now=START) == 0


def test_those_whom_another_replica_has_seen_end_give_their_places_back() -> None:
    """The ledger tells of all that compile; who entered here before, and is none of them, has ended."""
    later = START + timedelta(minutes=1)
    queue = CompileQueue(2, shared=True)
    for one in ("1", "2"):
        assert queue.enter(one, now=START) == 0
    assert queue.enter("3", now=START) == SOON  # it may have been taken before they entered
    assert queue.enter("3", ["1"], ["2"], now=later) == SOON
    assert queue.enter("3", ["1"], now=later) == 0
    alone = CompileQueue(1)
    assert alone.enter("1", now=START) == 0
    assert alone.enter("2", now=later) == FOR_A_PLACE
