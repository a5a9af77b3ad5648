"""Files that scenarios describe, outputs of gears, packaged scenarios by name."""

import io
import zipfile
from pathlib import Path

import pytest

from flyball.sandbox.extras import ExtraError, add_files
from flyball.sandbox.files import content_of
from flyball.sandbox.scenario import Scenario, ScenarioError, packaged
from flyball.sandbox.tables import Doc
from flyball.sandbox.world import build
from unit.sandbox.lab import NOW, Lab, MakeLab


def content(lab: Lab, doc: Doc, name: str) -> bytes:
    """The bytes of a file."""
    return content_of(lab.site, next(f for f in doc["files"] if f["name"] == name))


def test_texts_tables_archives(lab: Lab) -> None:
    """Each kind of content; an acquisition is named by its label; what is there keeps its metadata."""
    session, scan = lab.session, lab.acquisition()
    add_files(
        lab.site,
        "session",
        session,
        [
            {"name": "a.txt", "text": "hello", "tags": ["T"]},
            {"name": "a.csv", "rows": [["x", "y"], [1, "a,b"]]},
            {"name": "a.tsv", "rows": [["x", "y"], [1, 2]], "info": {"n": 1}},
            {"name": "a.zip", "members": {"in/x.txt": "inside"}},
            {"name": "T1w.nii.gz", "acquisition": "T1w", "size": 7},
        ],
    )
    assert content(lab, session, "a.txt") == b"hello"
    assert content(lab, session, "a.csv") == b'x,y\r\n1,"a,b"\r\n'
    assert content(lab, session, "a.tsv") == b"x\ty\r\n1\t2\r\n"
    assert zipfile.ZipFile(io.BytesIO(content(lab, session, "a.zip"))).read("in/x.txt") == b"inside"
    image = next(f for f in scan["files"] if f["name"] == "T1w.nii.gz")
    assert (image["version"], image["size"], image["classification"]["Measurement"]) == (2, 7, ["T1"])
    with pytest.raises(ExtraError, match="colour"):
        add_files(lab.site, "session", session, [{"name": "x", "colour": "red"}])
    with pytest.raises(ExtraError, match="no acquisition"):
        add_files(lab.site, "session", session, [{"name": "x", "acquisition": "T9"}])


def test_outputs_of_gears(make_lab: MakeLab) -> None:
    """A scenario says what a gear leaves behind, names filled in."""
    gears = [
        {
            "name": "exporter",
            "version": 1,
            "category": "analysis",
            "outputs": [
                {"name": "{gear}_{subject}.zip", "members": {"{session}/x.csv": "a\n{project}\n"}, "info": {"n": 1}}
            ],
        }
    ]
    lab = make_lab(gears=gears)
    body = {"label": "run", "job": {"gear_id": lab.gear("exporter")["_id"]}}
    own = lab.ask("POST", f"/sessions/{lab.session['_id']}/analyses", body).body["_id"]
    lab.later(60)
    (output,) = lab.get(f"/analyses/{own}")["files"]
    assert (output["name"], output["info"]) == ("exporter_sub-01.zip", {"n": 1})
    inside = lab.ask("GET", f"/analyses/{own}/files/{output['name']}?member=ses-01/x.csv")
    assert inside.raw == b"a\ntome\n"


def test_the_tutorial_scenario() -> None:
    """Ages that are null or absurd, labels given twice, scans that are reference images."""
    site = build(Scenario.named("tutorial"), NOW)
    ages = [session.get("age") for session in site.sessions.rows.values()]
    assert None in ages
    assert max(age for age in ages if age) > 1000 * 31_557_600
    assert min(age for age in ages if age) < 0
    subject = next(s for s in site.subjects.rows.values() if s["label"] == "sub003")
    assert [s["label"] for s in site.sessions.below(("subject", subject["_id"]))] == ["ses-01", "ses-01"]
    reference = next(a for a in site.acquisitions.rows.values() if a["label"] == "rfMRI_REST_AP_SBRef")
    assert all("SBRef" in f["classification"]["Features"] for f in reference["files"] if f["type"] == "nifti")


def test_scenarios_by_name(tmp_path: Path) -> None:
    """A packaged scenario is found by its name, a file by its path, anything else is an error."""
    assert packaged() == ["lab", "tutorial"]
    assert Scenario.find(Path("tutorial")).seed == "tutorial"
    file = tmp_path / "own.yaml"
    file.write_text("extends: tutorial\nseed: mine\n")
    assert Scenario.find(file).seed == "mine"
    with pytest.raises(ScenarioError):
        Scenario.find(tmp_path / "tutorial")
    for wrong in ({"search": {"lag": 1}}, {"search": {"lag_s": -1}}, {"views": {"slow": True}}):
        with pytest.raises(ScenarioError):
            Scenario.named("lab", **wrong)
