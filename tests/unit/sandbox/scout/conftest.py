"""The emulated Neuroscout server as a fixture."""

import pytest

from unit.sandbox.scout.lab import ScoutLab


@pytest.fixture
def lab() -> ScoutLab:
    """The packaged lab's server, compiling in exactly two seconds."""
    made = ScoutLab()
    made.scout.habits.change({"compile_s": 2})
    return made
