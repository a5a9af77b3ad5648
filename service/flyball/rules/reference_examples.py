"""The examples of the rule reference: complete rule files, each read by a test as it stands.

They stand for a lab with one Flywheel site, a hook `lab`, a channel `lab`, and a variable FS_LICENSE.
"""

from __future__ import annotations

from typing import Final

from flyball.rules.reference_files import FILE_EFFECTS
from flyball.rules.reference_scout import SCOUT

FILE: Final = """
version: 1
defaults:
  scope: {project: "scien/*"}
profiles:
  gross-motion:
    metrics: {fd_mean: {worse: higher, fail: 2.5}}
rules:
  - id: motion
    each: file
    if: qc('gross-motion').level == 'fail'
    do: [{tag: {on: file, set: {HIGH_FD: true}}}]
"""

DEFAULTS: Final = """
defaults:                    # for all rules of this file, unless they say otherwise
  site: main
  trigger: [changed, startup]
  scope: {project: ["scien/*", "!scien/scratch"]}
  settle: 10m
  when_over: leave
  since: all
  mode: shadow
  limits: {per_day: 100}
  retry: {attempts: 5, backoff: [1m, 30m]}
  notify: lab                # the channel of alerts that name none
rules:
  - id: unnamed
    each: session
    if: session.label == 'unknown'
    do: [{alert: {title: "a session without a name in {{ project.label }}"}}]
"""

RULE: Final = {
    "id": """
rules:
  - id: t1-snr
    each: file
    if: file.info.snr_total < 6
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
""",
    "title": """
rules:
  - id: t1-snr
    title: T1-weighted scans with little signal
    each: file
    if: file.info.snr_total < 6
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
""",
    "site": """
rules:
  - id: t1-snr
    site: main               # needed only where the settings have several Flywheel sites
    each: file
    if: file.info.snr_total < 6
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
""",
    "each": """
rules:
  - {id: big-projects, each: project, if: len(project.subjects) > 200, do: [{tag: {on: project, set: {BIG: true}}}]}
  - {id: nameless, each: subject, if: not has(subject.sex), do: [{tag: {on: subject, set: {NO_SEX: true}}}]}
  - {id: undated, each: session, if: not has(session.timestamp), do: [{tag: {on: session, set: {UNDATED: true}}}]}
  - {id: empty, each: acquisition, if: len(acquisition.files) == 0, do: [{tag: {on: acquisition, set: {EMPTY: true}}}]}
  - {id: short, each: file, if: file.size < 1000, do: [{tag: {on: file, set: {TINY: true}}}]}
  - {id: failed, each: job, if: job.state == 'failed', do: [{alert: {title: "{{ job.gear_info.name }} failed"}}]}
  - {id: old-run, each: analysis, if: days(now - analysis.created) > 365, do: [{alert: {title: old}}]}
""",
    "matrix": """
rules:
  - id: motion                 # becomes four rules, one for each combination
    each: file
    matrix:
      limit: [0.25, 0.5]
      run: [{task: rest, severity: low}, {task: movie, severity: high}]    # values that belong together
    if: matches(acquisition.label, 'task-') and run.task in acquisition.label and file.info.fd_mean > limit
    do: [{alert: {title: "{{ acquisition.label }}: more than {{ limit }} mm ({{ run.severity }})"}}]
  - id: nightly                # one rule; each cell is a target
    each: matrix
    matrix: {dataset: [Life, Sherlock], predictor: [rmse, speech]}
    trigger: [startup, {schedule: "0 4 * * *"}]
    do: [{alert: {title: "{{ predictor }} in {{ dataset }} is due"}}]
""",
    "trigger": """
rules:
  - id: failed-jobs
    each: session
    trigger:
      - {job: [failed, cancelled], gear: ["bids-*", "!bids-curate"]}
      - {schedule: "0 7 * * 1", zone: Europe/Paris}    # Mondays at seven
      - {webhook: lab}                                 # POST /hooks/lab
      - startup
    do: [{alert: {title: "look at {{ session.label }}"}}]
  - id: compiled
    site: scout                                        # a Neuroscout server
    each: analysis
    trigger: [{analysis: [PASSED, FAILED]}]
    do: [{alert: {title: "{{ analysis.name }} is {{ analysis.status }}"}}]
""",
    "scope": """
rules:
  - id: scoped
    each: file
    scope:
      project: ["scien/*", "!scien/scratch"]           # group/label
      subject: "sub-*"
      session: ["ses-0?", "!ses-00"]
      acquisition: "task-*"
      file: ["*.nii.gz", "*.json"]
    do: [{tag: {on: file, set: {SEEN: true}}}]
  - id: scoped-jobs
    each: job
    scope: {gear: "mriqc*"}
    do: [{alert: {title: "{{ job.state }}"}}]
""",
    "settle": """
rules:
  - id: complete
    each: session
    settle: 2h               # two hours without a new or changed acquisition or file
    expect: {acquisitions: [T1w]}
    do: [{tag: {on: session, set: {INCOMPLETE: missing}}}]
""",
    "let": """
rules:
  - id: children
    each: session
    let:
      age: years(session.timestamp - subject.date_of_birth)
      child: age < 18
    if: child
    do: [{tag: {on: session, set: {CHILD: true, INFANT: age < 3}}}]
""",
    "select": """
rules:
  - id: recon-all
    each: subject
    select:
      t1:
        files: "file.type == 'nifti' and file.classification.Measurement == ['T1']"
        order: [session.timestamp, acquisition.timestamp]
        max: 5
      rest: {acquisitions: "glob(acquisition.label, 'task-rest*')"}
      adult: {search: "session.age >= 567648000 AND file.type = nifti", returns: session}    # of the site's search
    if: len(t1) >= 1 and len(rest) >= 2 and len(adult) >= 1
    do:
      - launch: {gear: freesurfer-recon-all, on: subject, inputs: {anatomical: "t1[0]", "t1w_anatomical_{n}": "t1[1:]"}}
""",
    "expect": """
rules:
  - id: protocol
    each: session
    expect:
      acquisitions:
        - T1w                                          # at least one
        - {label: T2w, count: 1}
        - {match: "^task-rest_run-0[1-4]$", at_least: 2, at_most: 4, title: resting runs}
    do:
      - tag: {on: session, set: {INCOMPLETE: missing, ODD: unexpected}}
      - alert: {when: missing, title: "{{ session.label }} lacks {{ missing | join(', ') }}"}
""",
    "if": """
rules:
  - id: bold-qc
    each: file
    if: "'T2*' in file.classification.Measurement and file.info.snr < 1.0"
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
""",
    "do": """
rules:
  - id: bold-qc
    each: file
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {HIGH_FD: file.info.fd_mean > 2.5}}
      - note: {when: file.info.fd_mean > 2.5, on: session, text: "mean FD {{ file.info.fd_mean }} mm"}
""",
    "when_over": """
rules:
  - id: seen-bad
    each: file
    if: file.info.snr < 1.0
    when_over: leave         # the tag stays when the value is corrected
    do: [{tag: {on: acquisition, set: {WAS_BAD: true}}}]
""",
    "since": """
rules:
  - {id: new-data, each: file, since: now, do: [{tag: {on: file, set: {NEW: true}}}]}
  - {id: this-year, each: file, since: 2026-01-01, do: [{tag: {on: file, set: {Y2026: true}}}]}
  - {id: all-data, each: file, since: all, do: [{tag: {on: file, set: {SEEN: true}}}]}
""",
    "mode": """
rules:
  - id: careful
    each: file
    mode: approve            # every effect waits for `flyball approve`
    if: file.info.snr < 1.0
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
""",
    "limits": """
rules:
  - id: recon-all
    each: session
    select: {t1: {files: "'T1' in file.classification.Measurement"}}
    if: len(t1) >= 1
    do: [{launch: {gear: freesurfer-recon-all, on: session, inputs: {anatomical: "t1[0]"}}}]
    limits: {running: 20, per_day: 200, canary: 3}
""",
    "retry": """
rules:
  - id: patient
    each: file
    if: file.info.snr < 1.0
    do: [{tag: {on: acquisition, set: {LOW_SNR: true}}}]
    retry: {attempts: 20, backoff: [10s, 2h]}
""",
    "tests": """
rules:
  - id: protocol
    each: session
    settle: 2h
    expect: {acquisitions: [T1w, T2w]}
    do: [{tag: {on: session, set: {INCOMPLETE: missing}}}]
    tests:
      - name: the T2 is missing
        given: {session: {label: ses-01, acquisitions: [T1w, {label: localizer}]}}
        expect: {decision: yes, effects: [{kind: tag, tag: INCOMPLETE, on: session}]}
      - name: a recorded session
        given: documents/complete.yaml                 # from `flyball test --record`, in the config folder
        expect: {decision: yes, effects: []}
""",
}

NOTES: Final = {
    "tests": """
`flyball test` holds each test against the same evaluator that `run`, `plan` and `why` use. A test asks what the rule
makes of a state, so its `since`, `settle` and `mode` do not get in the way: all data counts, nothing is waited for, and
a paused or shadow rule is tested as a live one. Nothing is on record, as at first sight; a tag that `given` has already
is people's.

`given` names the target and its ancestors by level, each with the fields of the site's JSON, and may hold `group`,
`gear`, `event`, `now` (a time with its zone) and `peers` (`{tsnr: {n: 40, median: 50, mad: 4}}`, for a robust z). What
it does not say is not there: no tags, no info, other fields missing. `acquisition: null` says that a file hangs higher
up. What lies below the target stands in lists: `acquisitions`, `files` and so on, inside of their container; a text
stands for a label or name. A level of the scope whose label is not told counts as in scope.

`expect` has `decision` (`yes`, `no`, `unknown`), `effects`, or both. There must be as many effects as are expected, in
any order, and each expected one must fit one that is asked for. It names any of the effect's own fields (`kind`,
`summary`, `target`) or of its parameters (`tag`, `operation`, `title`, `gear`, `inputs`); `on` is the level of the
container, and a text stands for what is called so, a file for instance.

`flyball test --record TARGET --rule ID` prints a target of the site as such a map: only what the rule reads, and
without what tells who somebody is.
""",
}
"""Key of a rule → what is to be said beside its keys."""

PROFILES: Final = """
profiles:
  bold-rest:
    from: [file.info.IQM, file.info]
    metrics:
      fd_mean: {worse: higher, warn: 0.25, fail: 0.5}
      tsnr: {worse: lower, warn: z -3, within: [project, acquisition.label], min_n: 20}
    per_project:
      "scien/kids": {fd_mean: {warn: 0.4, fail: 0.9}, tsnr: {warn: null, fail: z -5}}
rules:
  - id: rest-qc
    each: file
    if: qc('bold-rest').level in ['warn', 'fail']
    do:
      - tag: {on: acquisition, set: {QC_FAIL: qc('bold-rest').fail, LOW_TSNR: "'tsnr' in qc('bold-rest').warn"}}
"""

EFFECTS: Final = {
    **SCOUT,
    **FILE_EFFECTS,
    "alert": (
        "Opens a message to people when its condition turns true, repeats it, and sends the all-clear.",
        """
rules:
  - id: late
    each: session
    settle: 1d
    expect: {acquisitions: [T1w]}
    do:
      - alert:
          when: missing
          title: "{{ subject.label }} {{ session.label }} lacks {{ missing | join(', ') }}"
          body: "Its project is {{ project.label }}."
          channel: [lab, log]
          severity: error
          group_by: [project]
          wait: 10m
          repeat: 3d
""",
    ),
    "launch": (
        "Runs a gear, with as many inputs as there are; the same inputs never twice.",
        """
rules:
  - id: recon-all
    each: subject
    select:
      t1: {files: "'T1' in file.classification.Measurement", max: 5}
      t2: {files: "'T2' in file.classification.Measurement", max: 1}
    do:
      - launch:
          when: len(t1) >= 1
          gear: freesurfer-recon-all@1.2.5
          on: subject
          inputs: {anatomical: "t1[0]", "t1w_anatomical_{n}": "t1[1:]", t2w_anatomical: "t2[0]"}
          config: {parallel: true}
          secrets: {gear-FREESURFER_LICENSE: env:FS_LICENSE}
          label: "recon-all of {{ subject.label }}"
          tags: [nightly]
          once: inputs
          depends: [len(t1)]
          unless_ran: true
          relaunch_failed: 1
          priority: low
""",
    ),
    "note": (
        "Writes one evidence note on a container, with the values of that moment.",
        """
rules:
  - id: motion-note
    each: file
    do:
      - note:
          when: file.info.fd_mean > 2.5
          on: session
          text: "{{ acquisition.label }}: mean FD {{ file.info.fd_mean }} mm"
""",
    ),
    "report": (
        "Keeps a report about a project up to date: CSV, and one HTML file with plots; on disk or on the project.",
        """
profiles:
  bold-rest: {metrics: {fd_mean: {warn: 0.25, fail: 0.5}}}
rules:
  - id: nightly
    each: project
    trigger: {schedule: "0 5 * * *"}
    do:
      - report: {kind: qc, profile: [bold-rest], format: [csv, html], to: [disk, project]}
      - report:
          when: "'study' in project.tags"
          kind: gear-status
          gear: bids-mriqc
          format: csv
          to: project
          name: "{{ project.label }}_mriqc"
""",
    ),
    "tag": (
        "Keeps tags equal to their conditions: set while true, taken away when false, left alone while unknown.",
        """
rules:
  - id: bold-qc
    each: file
    do:
      - tag:
          when: "'T2*' in file.classification.Measurement"
          on: acquisition
          set: {LOW_SNR: file.info.snr < 1.0, HIGH_FD: file.info.fd_mean > 2.5}
""",
    ),
}
"""Effect kind → what it does, and an example with all of its parameters."""

NOT_YET: Final[frozenset[str]] = frozenset()
"""Keys that the language has and this version refuses; they have no example, and a test sees that they are refused."""
