"""The yardstick: the quality control job of Flywheel's SDK tutorial, written with the official SDK as the tutorial does.

It goes session by session, acquisition by acquisition, reloads each for its files' info, and tags what is poor. Mended
is what makes the original end early or wrong on real data (metrics or classifications that are missing); its table of
values is kept in memory and not written, since the rules write none either.

Run as a process: `python -m bench.sdk_job KEY GROUP/PROJECT [--sessions N]`, one JSON line out.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from itertools import islice
from typing import Any

import flywheel


def poor_values(file: Any) -> tuple[str, Any, Any, list[str]]:
    """Type, SNR and motion of a report, and the tags that it deserves; the tutorial's cut-offs."""
    measurement = (file.classification or {}).get("Measurement") or []
    if "T2*" in measurement:
        snr, motion = file.info.get("snr"), file.info.get("fd_mean")
        found = [("LOW_SNR", _number(snr) and snr < 1.0), ("HIGH_FD", _number(motion) and motion > 2.5)]
        return "T2*", snr, motion, [tag for tag, is_so in found if is_so]
    if "T1" in measurement:
        snr = file.info.get("snr_total")
        return "T1", snr, "NA", ["LOW_SNR"] if _number(snr) and snr < 6.0 else []
    return "", None, None, []


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def check(project: Any, sessions: int | None) -> tuple[list[tuple[Any, ...]], int]:
    """Go through the project; the table of values, and how many tags were set."""
    table: list[tuple[Any, ...]] = []
    tags = 0
    for session in islice(project.sessions.iter(), sessions):
        for listed in session.acquisitions.iter():
            acquisition = listed.reload()
            for file in [one for one in acquisition.files if "mriqc.qa" in one.name][:1]:
                kind, snr, motion, wanted = poor_values(file)
                table.append((session.subject.label, session.label, acquisition.label, file.name, snr, motion, kind))
                for tag in wanted:
                    if tag not in acquisition.tags:
                        acquisition.add_tag(tag)
                        tags += 1
    return table, tags


def main() -> None:
    """Read the arguments, run, say what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("project")
    parser.add_argument("--sessions", type=int)
    given = parser.parse_args()
    client = flywheel.Client(given.key)
    project = client.lookup(given.project)
    began = time.monotonic()
    table, tags = check(project, given.sessions)
    seconds = time.monotonic() - began
    sys.stdout.write(json.dumps({"seconds": seconds, "acquisitions": len(table), "tags": tags}) + "\n")


if __name__ == "__main__":
    main()
