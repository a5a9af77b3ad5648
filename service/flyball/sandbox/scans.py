"""One scan as it lies on a site: DICOM archive, NIfTI and MRIQC's report, with all its flaws."""

from datetime import datetime

from flyball.sandbox.dice import Dice
from flyball.sandbox.files import put_file
from flyball.sandbox.iqm import QUALITIES, iqms
from flyball.sandbox.state import Site
from flyball.sandbox.tables import Doc

_PARAMETERS = {
    "T1": {"EchoTime": 0.00231, "RepetitionTime": 2.4, "FlipAngle": 8},
    "T2": {"EchoTime": 0.085, "RepetitionTime": 6.0, "FlipAngle": 120},
    "T2*": {"EchoTime": 0.03, "RepetitionTime": 2.0, "FlipAngle": 77},
}


def measured(label: str) -> tuple[str, str]:
    """Measurement and intent of a scan, by its label."""
    if label.startswith("task-") or "fMRI" in label:
        return "T2*", "Functional"
    return ("T2", "Structural") if "T2" in label else ("T1", "Structural")


def add_scan(site: Site, session: Doc, label: str, quality: str, when: datetime) -> Doc:
    """An acquisition with its files.

    Args:
        site: the site.
        session: where it goes.
        label: the acquisition's label; it decides what kind of scan it is.
        quality: one of the metrics' qualities; `none` (no report), `doubled` (a good and a bad
            report), `unclassified` (the report has no classification), `nifti:QUALITY` (metrics in
            `info.IQM` of the NIfTI instead of a report), `bare` (no NIfTI, no report).
        when: the time stamp of the scan.
    """
    acquisition = site.add_acquisition(session["_id"], label, timestamp=when, timezone="America/New_York")
    add_images(site, acquisition, converted=quality != "bare")
    measurement, intent = measured(label)
    classification = {"Intent": [intent], "Measurement": [measurement]}
    if quality in {"none", "bare"} or (measurement == "T2" and quality == "good"):
        return acquisition
    dice = Dice.of(site.seed, "scan", acquisition["_id"])
    if quality.startswith("nifti:"):
        nifti = next(f for f in acquisition["files"] if f["type"] == "nifti")
        nifti["info"] = {**nifti["info"], "IQM": iqms(dice, measurement, quality.removeprefix("nifti:"))}
        return acquisition
    reports = {"doubled": ["good", "low_snr"], "unclassified": ["low_snr"]}.get(quality, [quality])
    for place, report in enumerate(reports):
        if report not in QUALITIES:
            raise ValueError(f"unknown quality {report!r} of scan {label!r}")
        add_report(site, acquisition, iqms(dice, measurement, report), place + 1, classification)
    if quality == "unclassified":
        acquisition["files"][-1]["classification"] = {}
    return acquisition


def add_images(site: Site, acquisition: Doc, *, converted: bool = True) -> Doc:
    """The DICOM archive and, when it was converted, the NIfTI; gives back the last file."""
    label: str = acquisition["label"]
    measurement, intent = measured(label)
    classification = {"Intent": [intent], "Measurement": [measurement]}
    if "SBRef" in label:
        classification["Features"] = ["SBRef"]
    name = safe(label)
    info = _PARAMETERS[measurement]
    origin = {"type": "device", "id": "scanner-1"}
    meta: Doc = {"modality": "MR", "classification": classification, "origin": origin, "info": info}
    last = put_file(site, "acquisition", acquisition, f"{name}.dicom.zip", size=4096, **meta)
    if converted:
        last = put_file(site, "acquisition", acquisition, f"{name}.nii.gz", size=2048, **meta)
    return last


def add_report(site: Site, acquisition: Doc, info: Doc, number: int, classification: dict[str, list[str]]) -> Doc:
    """MRIQC's report on the acquisition, the metrics in its info."""
    ending = "" if number == 1 else f"_{number}"
    name = f"{safe(acquisition['label'])}{ending}_mriqc.qa.html"
    meta: Doc = {"modality": "MR", "classification": classification, "info": info}
    return put_file(site, "acquisition", acquisition, name, content=b"<html>MRIQC</html>", **meta)


def safe(label: str) -> str:
    """A label as part of a file name: a slash would break later calls."""
    return label.replace("/", "_")
