"""What is known of an expression without evaluating it: its reads, calls, levels, and use of the present time."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.rules.expression import compile_expression

NAMES = {"file", "session", "acquisition", "t1", "row"}


@pytest.mark.parametrize(
    ("source", "reads"),
    [
        ("file.info.snr < 1.0", {("file", "info", "snr")}),
        ("'T2*' in file.classification.Measurement", {("file", "classification", "Measurement")}),
        ("file.info['Echo Time'] > 1", {("file", "info", "Echo Time")}),
        ("file.info[session.label].x", {("file", "info"), ("session", "label")}),
        ("t1[0].info.snr", {("t1",)}),
        ("len(t1[1:])", {("t1",)}),
        (
            "any(f.info.snr < session.limit for f in acquisition.files)",
            {("acquisition", "files"), ("session", "limit")},
        ),
        ("any(file.x for file in t1)", {("t1",)}),
        ("qc('bold').level == file.name", {("file", "name")}),
        ("true and now > null", set()),
        ("file", {("file",)}),
        ("(file.a if has(file.b) else file).c", {("file", "a"), ("file", "b"), ("file",)}),
        ("-file.a * [file.b][0]", {("file", "a"), ("file", "b")}),
    ],
)
def test_reads(source: str, reads: set[tuple[str, ...]]) -> None:
    """Paths go from the root to the last literal key; loop variables are no roots."""
    assert compile_expression(source, names=NAMES, functions=["qc"]).reads == reads


def test_count_reads_below() -> None:
    """What `count` reads of the nodes below is kept apart from what is read of the target and its ancestors."""
    expression = compile_expression(
        "count(file, file.type == session.kind and acquisition.label == 'x') > 1", names={"session"}
    )
    assert expression.levels == {"file"}
    assert expression.reads == {("session", "kind")}
    assert expression.reads_below == {("file", "type"), ("acquisition", "label")}
    above = compile_expression("count(file, acquisition.label == 'x') > 1", names={"session", "acquisition"})
    assert above.reads == {("acquisition", "label")}
    assert above.reads_below == set()


def test_calls_and_time() -> None:
    """Calls carry their literal arguments; `now` counts with and without brackets."""
    expression: Any = compile_expression("qc('bold').level == 'ok' and days(now() - session.timestamp) > 1",
                                         names=NAMES, functions={"qc": (1, 1)})  # fmt: skip
    assert expression.functions == {"qc", "days", "now"}
    assert ("qc", ("bold",)) in expression.calls
    assert ("days", (...,)) in expression.calls
    assert expression.uses_now
    assert compile_expression("now > session.timestamp", names=NAMES).uses_now
    assert not compile_expression("days(session.age) > 1", names=NAMES).uses_now
    assert repr(expression).startswith("Expression(\"qc('bold')")
    assert expression.source.startswith("qc(")
