"""`python -m flyball.reports FOLDER`: makes one report in a process of its own.

FOLDER holds `order.json` (`{"order": …, "formats": […]}`) and `rows.jsonl`, one row a line. What comes of it is written
beside them: `report.csv`, `report.html`, `report.json`, `report.terminal` (JSON of what a terminal shows), as asked
for, and at last `made.json` with the headline figures. Exit code 1 and a line on standard error when it cannot be made;
`LATER` when that may be otherwise later: the disk is full, the memory short.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from flyball.reports.kinds import LATER
from flyball.reports.making import Order, as_json, content_of, for_terminal, written
from flyball.reports.rows import Project


def main(folder: Path) -> int:
    """Make the report that a folder asks for; the exit code."""
    gc.disable()  # all of the rows are kept to the end: looking through them again and again took a third of the time
    asked = orjson.loads((folder / "order.json").read_bytes())
    project = Project()
    project.take(_rows(folder / "rows.jsonl"))
    content = content_of(Order(**asked["order"]), project)
    gc.freeze()
    gc.enable()  # for the plots, which leave circles behind
    for form in asked["formats"]:
        match form:
            case "json":
                made = orjson.dumps(as_json(content), default=str)
            case "terminal":
                made = orjson.dumps(for_terminal(content), default=str)
            case _:
                made = written(content, form)
        (folder / f"report.{form}").write_bytes(made)
    summary = {"numbers": dict(content.numbers), "rows": len(content.rows), "notes": list(content.notes)}
    (folder / "made.json").write_bytes(orjson.dumps(summary, default=str))
    return 0


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


if __name__ == "__main__":
    try:
        code = main(Path(sys.argv[1]))
    except (OSError, MemoryError) as error:
        sys.stderr.write(f"{getattr(error, 'strerror', None) or type(error).__name__}\n")
        code = LATER
    sys.exit(code)
