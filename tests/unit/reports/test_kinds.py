"""What a report keeps of a node: little, and nothing that could harm it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fakes.bench import node
from flyball.reports.kinds import kept, metrics_of, seconds


def test_metrics_are_finite_known_numbers() -> None:
    """Null, NaN, texts, truth values and MRIQC's sentinels are missing; other keys of info are none of ours."""
    info = {"snr": 2.1, "fd_mean": None, "tsnr": math.nan, "efc": "0.5", "cjv": True, "fber": -1.0, "qi_2": 0, "x": 3}
    assert metrics_of(info) == {"snr": 2.1}
    assert metrics_of({"fber": -2.0, "qi_2": 0.1}) == {"fber": -2.0, "qi_2": 0.1}


@pytest.mark.parametrize(
    ("name", "info", "report", "scanner"),
    [
        ("x_mriqc.qa.html", {"snr": 2.0}, True, None),
        ("x.nii.gz", {"IQM": {"snr": 2.0}}, True, None),
        ("x.nii.gz", {"snr": 2.0}, None, None),
        (
            "x.dcm",
            {"ManufacturerModelName": "Prisma", "Manufacturer": "SIEMENS", "DeviceSerialNumber": 7},
            False,
            "SIEMENS Prisma (7)",
        ),
        ("x.dcm", {"header": {"dicom": {"StationName": "MR1"}}}, False, "MR1"),
        ("x.dcm", {"ManufacturerModelName": ["a"], "StationName": ""}, None, None),
        ("x_mriqc.html", "text", None, None),
    ],
    ids=lambda one: str(one)[:24],
)
def test_files_that_matter(name: str, info: Any, report: bool | None, scanner: str | None) -> None:
    """Reports by name, images with IQM, and whatever tells the scanner; other files are passed over."""
    found = kept(node("file", "f1", name=name, info=info))
    if report is None:
        assert found is None
    else:
        assert found is not None
        assert (found["report"], found["scanner"]) == (report, scanner)


def test_another_gears_job_is_passed_over() -> None:
    """By name, exactly."""
    job = node("job", "j1", state="complete", gear_info={"name": "mriqc", "version": "1.0"})
    assert kept(job, "bids-mriqc") is None
    found = kept(job, "mriqc")
    assert found is not None
    assert (found["state"], found["version"]) == ("complete", "1.0")


@pytest.mark.parametrize("text", [None, 5, "", "yesterday", "9999-99-99", "2026-02-30T00:00:00Z"], ids=str)
def test_what_is_no_time(text: Any) -> None:
    """None, and no error."""
    assert seconds(text) is None


def test_a_time_without_zone_is_utc() -> None:
    """As sites store it."""
    assert seconds("2026-01-01T00:00:00") == seconds("2026-01-01T01:00:00+01:00") == 1767225600.0
