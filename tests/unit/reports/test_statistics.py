"""Statistics against numpy's and pandas' of the same numbers."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.reports.statistics import finite, running_median, summary

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60)


@given(NUMBERS)
def test_the_summary_is_that_of_numpy_and_pandas(values: list[float]) -> None:
    """Mean, both standard deviations, quartiles, ends."""
    found = summary(values)
    near = partial(pytest.approx, rel=1e-7, abs=1e-6)
    assert found.n == len(values)
    assert found.mean == near(float(np.mean(values)))
    assert found.sd_population == near(float(np.std(values)))
    quartiles = np.quantile(values, [0.25, 0.5, 0.75])
    assert [found.q1, found.median, found.q3] == near(list(quartiles))
    assert (found.low, found.high) == (min(values), max(values))
    if len(values) > 1:
        assert found.sd == near(float(pd.Series(values).std()))
    else:
        assert found.sd is None


def test_nothing_has_no_mean() -> None:
    """An empty list is no error and no zero."""
    found = summary([])
    assert (found.n, found.mean, found.sd, found.median, found.sd_population) == (0, None, None, None, None)


@pytest.mark.parametrize(
    "value", [None, True, "3", "NaN", math.nan, math.inf, 10**400, [1], {}], ids=lambda one: str(one)[:9]
)
def test_what_is_no_finite_number(value: Any) -> None:
    """None, whatever it is."""
    assert finite(value) is None


def test_the_running_median_follows_a_drift_and_no_spike() -> None:
    """A step shows, one wild value does not; each time comes once, in order."""
    points = [(float(day), 1.0 if day < 50 else 2.0) for day in range(100)]
    points[20] = (20.0, 99.0)
    found = running_median(list(reversed(points)))
    assert [time for time, _ in found] == sorted({time for time, _ in found})
    assert dict(found)[20.0] == 1.0
    assert (found[0][1], found[-1][1]) == (1.0, 2.0)
