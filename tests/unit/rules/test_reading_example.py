"""The example of the manual: every rule of it is read as it stands."""

from flyball.model.levels import Level
from flyball.rules.profiles import Qc, Z
from flyball.rules.reading import read_texts
from flyball.rules.reading.surroundings import Surroundings
from flyball.rules.rule import Expected, Limits

EXAMPLE = """\
version: 1
defaults:
  scope: {project: ["scien/*", "!scien/scratch"]}   # group/label globs, ! excludes
  notify: lab                                       # default alert channel

profiles:                                # named QC cut-offs
  bold-rest:
    from: [file.info.IQM, file.info]     # first place that has the metric
    metrics:
      fd_mean: {worse: higher, warn: 0.25, fail: 0.5}
      fd_perc: {worse: higher, fail: 20}
      tsnr:    {worse: lower, warn: "z -3", within: [project, acquisition.label], min_n: 20}   # robust z in its peer group
    per_project: {"scien/kids": {fd_mean: {warn: 0.4, fail: 0.9}}}

rules:
  - id: bold-qc
    title: BOLD runs with poor MRIQC values
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag:
          on: acquisition
          set: {LOW_SNR: file.info.snr < 1.0, HIGH_FD: file.info.fd_mean > 2.5}

  - id: protocol
    each: session
    settle: 2h
    expect:
      acquisitions: [T1w, inplaneT2, {match: "^task-.*_run-0[1-4]$", count: 4}]
    do:
      - tag: {on: session, set: {INCOMPLETE: missing}}
      - alert: {when: missing, title: "{{ subject.label }} {{ session.label }} lacks {{ missing | join(', ') }}"}

  - id: recon-all
    since: all                                        # shipped rules look at old data too
    each: subject
    settle: 6h
    select:
      t1: {files: "file.type == 'nifti' and 'Structural' in file.classification.Intent and file.classification.Measurement == ['T1']",
           order: [session.timestamp, acquisition.timestamp], max: 5}
      t2: {files: "file.type == 'nifti' and file.classification.Measurement == ['T2']", max: 1}
    if: len(t1) >= 1
    do:
      - launch:
          gear: freesurfer-recon-all
          on: subject
          inputs: {anatomical: "t1[0]", "t1w_anatomical_{n}": "t1[1:]", t2w_anatomical: "t2[0]"}   # {n} counts on from 2
          secrets: {gear-FREESURFER_LICENSE: env:FS_LICENSE}
    limits: {running: 20, per_day: 200, canary: 3}

  - id: single-predictor-models
    site: scout
    trigger: [startup, {schedule: "0 4 * * *"}]
    each: matrix
    matrix: {dataset: [Life, Sherlock], predictor: [rmse, speech, brightness]}
    do:
      - neuroscout.analysis:
          name: "{{ predictor }} in {{ dataset }}"
          dataset: "{{ dataset }}"
          predictors: ["{{ predictor }}", FramewiseDisplacement]
          compile: true
"""


def test_the_example_of_the_manual() -> None:
    """All four rules of the tutorials, each with what it says."""
    from flyball.effects.catalog import KINDS  # noqa: PLC0415 - a layer above, needed here alone

    around = Surroundings(
        KINDS,
        {"main": "flywheel", "scout": "neuroscout"},
        {"FS_LICENSE": "x"},
        {"log": "log", "lab": "webhook"},
        frozenset(),
    )
    found = read_texts({"lab.yaml": EXAMPLE}, around)
    bold, protocol, recon, models = found.rules
    assert (bold.id, bold.each, bold.title) == ("bold-qc", Level.FILE, "BOLD runs with poor MRIQC values")
    assert bold.scope.outside({"project": "scien/tome", "file": "sub-01_mriqc.qa.html"}) is None
    assert bold.scope.outside({"project": "scien/scratch", "file": "sub-01_mriqc.qa.html"}) == "project"
    assert protocol.expect is not None
    assert protocol.expect[2] == Expected("^task-.*_run-0[1-4]$", None, "^task-.*_run-0[1-4]$", 4, 4)
    assert [spec.kind for spec in protocol.do] == ["tag", "alert"]
    assert (recon.limits, recon.since.everything, recon.order) == (Limits(20, 200, 3), True, ("t1", "t2"))
    qc = found.functions["qc"]
    assert isinstance(qc, Qc)
    tsnr = qc.profiles["bold-rest"].metrics["tsnr"]
    assert (tsnr.warn, tsnr.within, tsnr.min_n) == (Z(-3), (("project",), ("acquisition", "label")), 20)
    assert recon.below == {Level.SESSION, Level.ACQUISITION, Level.FILE}
    assert (models.site, models.each, len(models.cells)) == ("scout", Level.MATRIX, 6)
    assert [spec.kind for spec in models.do] == ["neuroscout.analysis"]
    assert found.rejected == ()
