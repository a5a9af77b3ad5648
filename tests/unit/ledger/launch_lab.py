"""What the tests of launches share: two rules that launch, a site with their gears, and short questions."""

from __future__ import annotations

from typing import Any

from fakes.bench import Bench, node
from flyball.model.node import Node

RULES = """
rules:
  - id: recon
    each: session
    since: all
    select:
      t1: {files: "file.type == 'nifti'", max: 5}
      t2: {files: "file.type == 'dicom'", max: 1}
    if: len(t1) >= 1
    do:
      - launch:
          gear: freesurfer
          on: session
          inputs: {anatomical: "t1[0]", "t1w_{n}": "t1[1:]", t2w: "t2[0]"}
          config: {n_cpus: 4}
          secrets: {license: env:FS_LICENSE}
  - id: convert
    each: file
    since: all
    do:
      - launch: {gear: dcm2niix, on: session, inputs: {source: file}, tags: [lab], priority: high}
"""
SECRET = "s3cret licence"


def scan(ident: str = "f1", *, kind: str = "nifti", **doc: Any) -> Node:
    """A file of the acquisition."""
    return node("file", ident, name=f"{ident}.nii.gz", type=kind, **doc)


def launch_bench() -> Bench:
    """A bench with one scan, and the two gears."""
    made = Bench(RULES, environment={"FS_LICENSE": SECRET})
    made.lab(scan())
    slots = {
        "anatomical": {"base": "file", "type": {"enum": ["nifti"]}},
        "t1w_2": {"base": "file", "optional": True},
        "t1w_3": {"base": "file", "optional": True},
        "t2w": {"base": "file", "optional": True},
        "api-key": {"base": "api-key"},
    }
    config = {"n_cpus": {"type": "integer", "default": 1}, "license": {"type": "string", "default": ""}}
    made.site.add_gear("freesurfer", inputs=slots, config=config)
    made.site.add_gear("dcm2niix", category="converter", inputs={"source": {"base": "file"}})
    return made


def only(bench: Bench) -> Any:
    """The only effect."""
    rows = bench.effects()
    assert len(rows) == 1
    return rows[0]


def sent(bench: Bench) -> list[str]:
    """The launches that reached the site."""
    return [method for method, _ in bench.site.writes]
