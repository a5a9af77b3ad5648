"""What holds for every test: logging is left as it was found, and property tests try the same cases each time.

`make test` must say the same of the same code, so its examples are derived from the tests themselves. `make test-deep`
searches anew with each run.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, settings

DEEP = os.environ.get("FLYBALL_TEST_PROFILE") == "deep"

# No test is measured by the clock on the wall: others run beside it.
AT_LEISURE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", AT_LEISURE, derandomize=True)
settings.register_profile("search", AT_LEISURE)
settings.load_profile("search" if DEEP else "same")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command line that a test runs in this process sets logging up for good; the next test starts without."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)
