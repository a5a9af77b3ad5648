"""Rules alone: conditions and decisions a second, and how long reading rule files takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from bench.lab import QC
from bench.processes import folder
from bench.result import Options, Result, short
from flyball.effects.catalog import KINDS
from flyball.events.nodes import SINGLE, nodes_of
from flyball.model.levels import Level
from flyball.model.node import Document, Target
from flyball.rules.engine import Standing, judge
from flyball.rules.expression import Context, compile_expression
from flyball.rules.reading import RuleSet, read_rules
from flyball.sandbox.dice import Dice
from flyball.sandbox.iqm import iqms

RULES = 200
NOW = datetime(2026, 11, 1, tzinfo=UTC)
CONDITIONS = (
    "file.info.snr < 1.0",
    "file.info.fd_mean > 2.5",
    "'T2*' in file.classification.Measurement",
    "file.info.tsnr < 30 or file.info.gcor > 0.05",
    "0.5 < file.info.efc < 0.6 and file.info.fber > 0",
    "matches(acquisition.label, '^task-rest_run-0[1-4]$')",
    "any(m == 'T2*' for m in file.classification.Measurement)",
    "file.size > 10 * 1024 and endswith(file.name, '.qa.html')",
    "days(now - session.timestamp) < 3650",
    "coalesce(file.info.absent, file.info.aor, 0) < 0.01",
)


def document() -> Document:
    """A report on a BOLD run with its ancestors, about 3 KB of JSON."""
    ident = {
        level: f"64a0{number:020x}" for number, level in enumerate(("project", "subject", "session", "acquisition"))
    }
    stamps = {
        "created": NOW.isoformat(),
        "modified": NOW.isoformat(),
        "revision": 3,
        "tags": [],
        "notes": [],
        "info": {},
    }
    names: dict[str, Any] = {}
    parents: dict[str, str] = {"group": "scien"}
    for level, one in ident.items():
        names[level] = {"id": one, "label": f"{level} 1", "parents": dict(parents), **stamps}
        parents[level] = one
    names["acquisition"]["label"] = "task-rest_run-01"
    names["session"] |= {"timestamp": NOW.isoformat(), "age": 900_000_000}
    file = {
        "file_id": f"64a0{9:020x}",
        "name": "task-rest_run-01_mriqc.qa.html",
        "size": 421_000,
        "classification": {"Intent": ["Functional"], "Measurement": ["T2*"]},
        "parent_ref": {"type": "acquisition", "id": ident["acquisition"]},
        "parents": parents,
        **stamps,
        "info": {
            **iqms(Dice.of("bench", 1), "T2*"),
            "BIDS": {f"field_{number}": f"value {number}" for number in range(32)},
        },
    }
    node = next(iter(nodes_of("main", Level.FILE, file, SINGLE)))
    ancestors = {
        Level(level): next(iter(nodes_of("main", Level(level), names[level], SINGLE, with_files=False)))
        for level in ident
    }
    names = {level: ancestors[Level(level)].doc for level in ident} | {"file": node.doc, "group": {"id": "scien"}}
    return Document(Target("main", Level.FILE, node.id, "scien/…"), names, node, ancestors)


def run(options: Options) -> Result:
    """Conditions, decisions, reading."""
    count = options.size or RULES
    found = document()
    size = len(orjson.dumps({name: dict(value) for name, value in found.names.items()}))
    compiled = [compile_expression(text, names=frozenset(found.names)) for text in CONDITIONS]

    def conditions() -> None:
        context = Context(dict(found.names), NOW, {})
        for expression in compiled:
            expression.test(context)

    with folder() as work:
        (work / "one").mkdir()
        (work / "one" / "qc.yaml").write_text(QC)
        rule = read(work / "one").rules[0]
        standing = Standing(NOW)
        (work / "many").mkdir()
        for number in range(count):
            text = QC.partition("  - id: t1-qc")[0].replace("bold-qc", f"bold-qc-{number}")
            (work / "many" / f"{number}.yaml").write_text(text)
        reading = each(lambda: read(work / "many"), least=1)
        assert len(read(work / "many").rules) == count
    rows = [
        [
            f"{len(CONDITIONS)} conditions over a document of {size / 1000:.1f} KB",
            f"{short(each(conditions) * 1e6)} µs",
        ],
        [
            "a decision with its explanation and wishes (`bold-qc`)",
            f"{short(1 / each(lambda: judge(rule, found, standing, NOW)))}/s",
        ],
        [f"reading {count} rule files", f"{short(reading * 1000)} ms"],
    ]
    return Result(("what", "figure"), rows)


def read(where: Path) -> RuleSet:
    """The rules in a folder."""
    found = read_rules(where, KINDS, {"main": "flywheel"}, {})
    assert not found.rejected, [str(one) for one in found.rejected]
    return found


def each(work: Callable[[], object], *, least: int = 1000, seconds: float = 0.5) -> float:
    """Seconds for one call: the best of three runs."""
    best = float("inf")
    for _ in range(3):
        times, began = 0, time.perf_counter()
        while times < least or time.perf_counter() - began < seconds:
            work()
            times += 1
        best = min(best, (time.perf_counter() - began) / times)
    return best
