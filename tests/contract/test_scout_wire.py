"""What the daemon sends to make an analysis, against what the official client sends for the same names."""

from __future__ import annotations

import asyncio
import warnings
from pathlib import Path
from typing import Any

import orjson
import pytest

from flyball.sandbox import Sandbox, Scenario
from support.lab import opened
from support.scout import QUICK, write_scout_lab

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore"
    )  # pyns is compiled here on a fresh machine, with escapes that Python advises against
    import pyns

pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
RULE = """
rules:
  - id: same
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {name: [My new analysis!]}
    do:
      - neuroscout.analysis:
          name: "{{ name }}"
          dataset: Life
          predictors: [rmse, FramewiseDisplacement]
          subjects: [rid000001, rid000005]
          tasks: [life]
          hrf: [rmse]
          compile: false
"""


def as_pyns(url: str, user: dict[str, str]) -> None:
    """The tutorial's call, with the parameter that does choose subjects."""
    client = pyns.Neuroscout(email=user["email"], password=user["password"], api_base_url=url)
    client.analyses.create_analysis(
        name="My new analysis!",
        dataset_name="Life",
        predictor_names=["rmse", "FramewiseDisplacement"],
        subjects=["rid000001", "rid000005"],
        tasks=["life"],
        hrf_variables=["rmse"],
    )


def plain(body: dict[str, Any]) -> dict[str, Any]:
    """A body without the order of what has none."""
    model = body["model"]
    given = {key: sorted(value) for key, value in model["Input"].items()}
    ids = {key: sorted(body[key]) for key in ("predictors", "runs")}
    return {**body, **ids, "model": {**model, "Input": given}}


async def test_the_body_is_the_official_clients_and_says_more(tmp_path: Path) -> None:
    """Everything that pyns sends is sent, with the same values; besides, the description with the key, and `private`."""
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": QUICK})) as box:
        await asyncio.to_thread(as_pyns, box.neuroscout, box.scout_users[0])
        async with opened(write_scout_lab(tmp_path, box, RULE)) as daemon:
            assert await daemon.run_until_idle()
        sent = [
            plain(orjson.loads(one.body))
            for one in box.scout_requests.last
            if one.method == "POST" and one.path.endswith("/analyses")
        ]
    theirs, ours = sent
    assert {key: ours[key] for key in theirs} == theirs
    assert ours.keys() - theirs.keys() == {"description", "private", "predictions"}
