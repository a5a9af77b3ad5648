"""What a report keeps of a node: little, and nothing that could harm it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fakes.bench import node
from flyball.reports.kinds import kept, metrics_of, seconds, thin


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
    whole = node("file", "f1", name=name, info=info)
    found = kept(whole)
    assert kept(thin(whole)) == found
    if report is None:
        assert found is None
    else:
        assert found is not None
        assert (found["report"], found["scanner"]) == (report, scanner)


def test_a_thin_file_is_compared_as_the_whole_one() -> None:
    """What no report reads goes, however deep it lies; the fingerprints stay."""
    deep: Any = {"snr": 1.0}
    for _ in range(3000):
        deep = {"header": deep}
    info = {"IQM": {"snr": 2.0, "provenance": {"a": 1}}, "header": deep, "series": ["x"] * 50, "StationName": "MR1"}
    whole = node("file", "f1", name="x.nii.gz", info=info)
    small = thin(whole)
    assert small.doc["info"] == {"IQM": {"snr": 2.0}, "header": {"header": {}}, "StationName": "MR1"}
    assert (small.whole, small.content, kept(small)) == (whole.whole, whole.content, kept(whole))
    session = node("session", "s1", info=info)
    assert thin(session) is session


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
