"""The shipped profiles: which there are, and that they warn rather than exclude."""

from pathlib import Path

import pytest

from flyball.effects.catalog import KINDS
from flyball.rules.profiles import Profile, Qc
from flyball.rules.reading import read_rules

FOLDER = Path(__file__).parents[3] / "config" / "rules"


@pytest.fixture(scope="module")
def profiles() -> dict[str, Profile]:
    """As the whole folder is read."""
    found = read_rules(FOLDER, KINDS, {"main": "flywheel", "scout": "neuroscout"}, {})
    assert not found.rejected
    qc = found.functions["qc"]
    assert isinstance(qc, Qc)
    return dict(qc.profiles)


def test_their_names(profiles: dict[str, Profile]) -> None:
    """Those that the documentation promises."""
    assert set(profiles) >= {
        *("structural-t1", "structural-t2", "bold-rest-strict", "bold-rest", "bold-task", "tutorial", "phantom"),
    }


def test_they_warn(profiles: dict[str, Profile]) -> None:
    """Only where the source has two limits is there a `fail`."""
    failing = {(name, metric) for name, one in profiles.items() for metric, cut in one.metrics.items() if cut.fail}
    assert failing == {("bold-rest", "fd_mean"), ("bold-task", "fd_mean")}


def test_their_numbers(profiles: dict[str, Profile]) -> None:
    """The sources' own."""
    numbers = {
        name: {metric: (cut.warn, cut.fail) for metric, cut in profiles[name].metrics.items()}
        for name in ("bold-rest-strict", "bold-rest", "bold-task", "tutorial", "phantom")
    }
    assert numbers == {
        "bold-rest-strict": {"fd_mean": (0.2, None), "fd_perc": (20, None)},
        "bold-rest": {"fd_mean": (0.25, 0.5)},
        "bold-task": {"fd_mean": (0.5, 0.9)},
        "tutorial": {"snr": (1.0, None), "fd_mean": (2.5, None), "snr_total": (6.0, None)},
        "phantom": {"snr": (200, None), "sfnr": (200, None), "percent_fluctuation": (0.15, None), "drift": (0.7, None)},
    }


def test_structural_t2_borrows_no_contrast(profiles: dict[str, Profile]) -> None:
    """T1's numbers for contrast do not hold for T2; what is not gross is relative, among at least 20."""
    metrics = profiles["structural-t2"].metrics
    assert not {"cnr", "cjv", "wm2max"} & metrics.keys()
    assert {metric for metric, cut in metrics.items() if not cut.uses_z} == {"efc", "qi_1"}
    assert all(cut.min_n == 20 for cut in metrics.values())
