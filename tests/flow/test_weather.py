"""Bad weather on the way to the site: nothing is lost, nothing is done twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyball.answers import Answers
from flyball.sandbox import Sandbox, Scenario
from support.lab import NOTES, QUICK_JOBS, opened, write_lab
from support.truth import compare, of_site


@pytest.mark.parametrize(
    ("kind", "dialect"),
    [("reset_before", "v23"), ("reset_after", "v23"), ("reset_after", "live19"), ("truncate", "live19")],
)
async def test_answers_that_never_arrive(kind: str, dialect: str, tmp_path: Path) -> None:
    """Every third write gets no usable answer, carried out or not: afterwards all is there once."""
    async with Sandbox(Scenario.named("lab", dialect=dialect, jobs=QUICK_JOBS)) as box:
        fault = box.faults.add(kind, method="POST", path=r"/(tags|analyses|notes)$", rate=0.34)
        async with opened(write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})) as daemon:
            assert await daemon.run_until_idle()
        assert fault.hits > 10
        assert not compare(of_site(box.site), notes=True)


@pytest.mark.parametrize("dialect", ["v23", "live19"])
async def test_errors_after_the_deed(dialect: str, tmp_path: Path) -> None:
    """A 503 that was carried out all the same is asked about, not repeated."""
    async with Sandbox(Scenario.named("lab", dialect=dialect, jobs=QUICK_JOBS)) as box:
        fault = box.faults.add("status", method="POST", path=r"/(tags|analyses|notes)$", commit=True, rate=0.34)
        async with opened(write_lab(tmp_path, box.key, extra={"notes.yaml": NOTES})) as daemon:
            assert await daemon.run_until_idle()
        assert fault.hits > 10
        assert not compare(of_site(box.site), notes=True)


async def test_a_storm_of_429(tmp_path: Path) -> None:
    """A site that says 429 again and again slows us down and loses nothing."""
    async with Sandbox(Scenario.named("lab", jobs=QUICK_JOBS)) as box:
        fault = box.faults.add("status", status=429, retry_after=1, rate=0.1, count=2)
        async with opened(write_lab(tmp_path, box.key)) as daemon:
            assert await daemon.run_until_idle()
        assert fault.hits == 2
        assert not compare(of_site(box.site))


async def test_a_wrong_key_is_shown_with_what_to_check(tmp_path: Path) -> None:
    """The site's name, its address and the remedy are in the readiness; the daemon goes on trying."""
    async with Sandbox(Scenario.named("lab")) as box:
        host, port = box.address
        key = f"{host}:{port}:__force_insecure:{'x' * 57}"
        async with opened(write_lab(tmp_path, key)) as daemon:
            assert not await daemon.run_until_idle()
            found = await Answers(daemon).readiness()
    check = found["checks"]["sites"]["main"]
    assert found["status"] == "degraded"
    assert not check["ok"]
    assert "main" in check["error"]
    assert str(port) in check["error"]
    assert "key" in check["error"]
    assert "xxxx" not in str(found)
