"""The labs that are measured: settings and rules in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.lab import write_lab

QC = """
version: 1
rules:
  - id: bold-qc
    title: BOLD runs with poor MRIQC values
    since: all
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr < 1.0, HIGH_FD: file.info.fd_mean > 2.5}}
  - id: t1-qc
    title: T1-weighted scans with low SNR
    since: all
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T1' in file.classification.Measurement"
    do:
      - tag: {on: acquisition, set: {LOW_SNR: file.info.snr_total < 6.0}}
"""
"""The tutorial's quality control, as the shipped rules have it."""

COMPLETE = """
  - id: protocol
    title: Sessions that lack a T1
    since: all
    each: session
    expect: {acquisitions: [T1w]}
    do:
      - tag: {on: session, set: {INCOMPLETE: missing}}
"""

SEEN = """
version: 1
rules:
  - id: seen
    title: Every acquisition
    since: all
    each: acquisition
    do:
      - tag: {on: acquisition, set: {SEEN: true}}
"""
"""One tag write for each acquisition."""


HOOKED = """
version: 1
rules:
  - id: hooked
    title: Every acquisition that a hook names
    since: all
    each: acquisition
    trigger: [{webhook: lab}]
    do:
      - tag: {on: acquisition, set: {SEEN: true}}
"""
"""One tag write for each delivery."""


def lab(folder: Path, key: str, rules: str | None, *, every: str = "1h", **settings: Any) -> Path:
    """Write a lab with no limits but 32 requests at once; the config folder.

    Args:
        folder: where to.
        key: of the site.
        rules: text of the rule file; None: the shipped rules.
        every: time between polls.
        settings: further ones.
    """
    site: dict[str, Any] = {
        "limits": {"per_second": 0, "concurrency": 32},
        "poll": {"every": every},
        "unclear_wait": {"reset": "2s", "timeout": "60s"},
    }
    return write_lab(folder, key, rules, site=site, **settings)
