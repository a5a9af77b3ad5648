"""Labs as fixtures."""

from typing import Any

import pytest

from flyball.sandbox.scenario import Scenario
from flyball.sandbox.world import build
from unit.sandbox.lab import NOW, Lab, MakeLab


@pytest.fixture
def make_lab() -> MakeLab:
    """Build a lab: `make_lab("live19", switches={…}, jobs={…})`."""

    def make(dialect: str = "v23", **values: Any) -> Lab:
        jobs = {
            "pending_s": [1, 1],
            "running_s": [5, 5],
            "fail_rate": 0,
            "gears": {"mriqc": {"fail_rate": 0}},
            **values.pop("jobs", {}),
        }
        sessions = [{"label": "ses-01", "days_ago": 2, "age_years": 30, "qa": {"task-rest_run-01": "low_snr"}}]
        subjects = [{"label": "sub-01", "sex": "female", "sessions": sessions}]
        project = {"group": "scien", "label": "tome", "subjects": subjects}
        hidden = {"group": "scien", "label": "secret", "subjects": [{"label": "hid", "sessions": []}]}
        scenario = Scenario.of(
            {
                "extends": "lab",
                "dialect": dialect,
                "projects": [project, hidden],
                "launches": [],
                "jobs": jobs,
                **values,
            }
        )
        return Lab(scenario, build(scenario, NOW))

    return make


@pytest.fixture
def lab(make_lab: MakeLab) -> Lab:
    """A lab on a recent site."""
    return make_lab()


@pytest.fixture
def old_lab(make_lab: MakeLab) -> Lab:
    """A lab on a site of 2019."""
    return make_lab("live19")
