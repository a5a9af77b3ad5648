"""Pseudonyms: which fields tell who somebody is, and what becomes of them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from flyball.rules.pseudonyms import Pseudonyms, kind_of

NEWEST = datetime(2025, 3, 4, 10, tzinfo=UTC)


def made(*documents: Any, labels: Any = ()) -> Pseudonyms:
    return Pseudonyms(documents, labels, NEWEST)


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("PatientName", "name"),
        ("patient_id", "name"),
        ("firstname", "name"),
        ("PatientBirthDate", "birth"),
        ("date_of_birth", "birth"),
        ("SOPInstanceUID", "uid"),
        ("uid", "uid"),
        ("OperatorsName", "person"),
        ("operator", "person"),
        ("Performing Physician", "person"),
        ("e-mail", "mail"),
        ("ImageComments", "text"),
        ("notes", "text"),
        ("InstitutionName", "place"),
        ("DeviceSerialNumber", "place"),
        ("AccessionNumber", "code"),
        ("ProtocolName", None),
        ("PatientPosition", None),
        ("SeriesDescription", None),
        ("snr", None),
        ("fd_mean", None),
        ("EchoTime", None),
        ("Manufacturer", None),
        ("classification", None),
    ],
)
def test_fields(key: str, kind: str | None) -> None:
    """By their names, however they are written."""
    assert kind_of(key) == kind


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("ask olaf.son+x@hospital.example today", "ask mail-1 today"),
        ("1.2.840.113619.2.55.dcm", "uid-1.dcm"),
        ("scan of 2019-05-03", "scan of date"),
        ("20190503_T1w", "date_T1w"),
        ("T1w_0.8mm_run-01", "T1w_0.8mm_run-01"),
        ("version 1.2.3", "version 1.2.3"),
        ("code 12345678", "code 12345678"),
    ],
)
def test_texts(text: str, clean: str) -> None:
    """Addresses, UIDs and dates are found wherever they stand; other numbers stay."""
    assert made().text(text) == clean


def test_names_are_found_everywhere() -> None:
    """What stood in a field for names is replaced in file names too, whole and in parts, in any case."""
    pseudonyms = made(
        {"info": {"PatientName": "SONNEN^Anne", "name": "Olaf"}, "name": "report.html"}, labels=[("sub", "S-12")]
    )
    assert (
        pseudonyms.text("Sonnen_S-12_anne.nii")
        == f"{pseudonyms.of('name', 'SONNEN')}_sub-1_{pseudonyms.of('name', 'Anne')}.nii"
    )
    assert "olaf" not in pseudonyms.text("by olaf").lower()
    assert pseudonyms.text("report.html") == "report.html"  # a file's own name is no person's


def test_the_same_value_has_the_same_pseudonym() -> None:
    """Whatever its case, and never that of another."""
    pseudonyms = made()
    assert pseudonyms.of("name", "Anne") == pseudonyms.of("name", "ANNE") == "name-1"
    assert pseudonyms.of("name", "Olaf") == "name-2"


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        ("timestamp", "2025-03-04T10:00:00+00:00", "2000-01-01T00:00:00+00:00"),
        ("timestamp", "2025-03-03T10:00:00", "1999-12-31T00:00:00"),
        ("AcquisitionDate", "20250304", "19991231"),
        ("date_of_birth", "1984-05-17T00:00:00+00:00", "1959-03-01T00:00:00+00:00"),
        ("PatientBirthDate", "19840517", "19590301"),
        ("PatientBirthDate", "unknown", "birth-1"),
        ("PatientID", 4711, "name-1"),
        ("snr", 1.5, 1.5),
        ("type", "nifti", "nifti"),
        ("flag", True, True),
        ("operator", None, None),
    ],
)
def test_values(key: str, value: Any, kept: Any) -> None:
    """Times move together, days of birth are put to the first of a month, names and codes are replaced."""
    assert made().value(key, value) == kept


def test_notes_are_no_source_of_names() -> None:
    """Else every common word of a note would be replaced everywhere."""
    pseudonyms = made({"notes": [{"text": "the scan was fine", "user": "olafson"}]})
    assert pseudonyms.text("scan by Olafson") == "scan by person-1"
