"""Examples of the effect kinds about files, tables, collections and containers, for the rule reference."""

from __future__ import annotations

from typing import Final

FILE_EFFECTS: Final = {
    "collection": (
        "Keeps acquisitions in a collection, which is found by its label; one effect for all targets of the rule.",
        """
rules:
  - id: t1-of-the-twenties
    each: acquisition
    if: years(session.age) >= 20 and years(session.age) < 30
    do:
      - collection:
          when: "'T1' in acquisition.label"
          label: T1_age_20s
          sync: own
          members: "[acquisition]"
""",
    ),
    "containers": (
        "Makes subjects, sessions and acquisitions for the rows of a CSV file; those that are there stay as they are.",
        """
rules:
  - id: new-subjects
    since: all
    each: project
    scope: {project: scien/tome}
    do:
      - containers:
          when: project.label == 'tome'
          csv: subjects.csv
          subject: {label: "{{ row['Subject ID'] }}", sex: "{{ row.sex }}", info: {source: table}}
          session: {label: Session1, age: "{{ row.age }}"}
          acquisition: {label: Struct_T1, timestamp: "{{ row['time of scan'] }}"}
          dates: "%m/%d/%Y %H:%M"
          zone: America/New_York
          age_unit: years
""",
    ),
    "download": (
        "Brings files, or members of a gear's zip outputs, to folders named by labels.",
        """
rules:
  - id: stats
    each: session
    do:
      - download:
          when: subject.label != 'phantom'
          gear: bids-freesurfer
          file: "*.zip"
          member: "*/aseg.stats"
          to: "stats/{{ project.label }}/{{ subject.label }}/{{ session.label }}/"
""",
    ),
    "info": (
        "Keeps keys of `info` equal to expressions; other keys are never touched.",
        """
rules:
  - id: worst-snr
    each: session
    select: {reports: {files: "glob(file.name, '*mriqc.qa*')"}}
    do:
      - info:
          when: len(reports) > 0
          on: session
          set: {qc.worst: min(f.info.snr for f in reports), qc.reports: len(reports)}
""",
    ),
    "post": (
        "Sends signed JSON to an address of the lab's, once for what it says.",
        """
rules:
  - id: tell-the-scheduler
    each: session
    do:
      - post:
          when: session.label != 'test'
          url: https://lab.example.org/sessions
          secret: env:LAB_SECRET?
          body: {subject: "{{ subject.label }}", session: "{{ session.label }}"}
""",
    ),
    "upload": (
        "Puts a file of the config folder on containers, anew whenever its content changed.",
        """
rules:
  - id: protocol-sheet
    each: project
    do:
      - upload: {when: project.label != 'scratch', file: protocol.pdf, to: project, name: "{{ project.label }}.pdf"}
""",
    ),
    "view": (
        "Runs a data view and keeps its table current, on disk, on the project, and joined over all targets.",
        """
rules:
  - id: scan-parameters
    each: project
    settle: 1h
    do:
      - view:
          when: project.label != 'scratch'
          label: scan-parameters
          columns: [subject.label, {src: file.info.EchoTime, dst: Echo Time, type: float, accumulator: mean}]
          container: acquisition
          filename: "*fMRI*.dcm.zip"
          match: all
          process_files: false
          zip_member: "*.csv"
          gear: bids-mriqc
          filter: subject.label=sub-01
          include_ids: false
          include_labels: false
          error_column: false
          missing_data_strategy: drop-row
          sort: true
          format: csv
          to: [disk, project]
          name: "{{ project.label }}_view.csv"
          joined: all.csv
""",
    ),
}
"""Effect kind → what it does, and an example with all of its parameters."""
