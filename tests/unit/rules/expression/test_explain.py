"""Explanations: every part with its result, the values that were read, and why it is unknown."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from flyball.rules.expression import Context, Explanation, Unknown, compile_expression
from flyball.rules.expression.explain import trimmed

Story = list[tuple[str, Any, dict[str, Any], str]]


@pytest.fixture
def explain(names: dict[str, Any], now: datetime) -> Any:
    """The explanation of an expression."""

    def ask(source: str, *, as_condition: bool = True, functions: Any = None, **more: Any) -> Explanation:
        known = names | more
        expression = compile_expression(source, names=known, functions=list(functions or ()))
        return expression.explain(Context(known, now, functions=functions or {}), as_condition=as_condition)

    return ask


def story(explanation: Explanation) -> Story:
    """The lines as tuples."""
    return [(line.expr, line.result, line.values, line.note) for line in explanation.lines]


def test_one_comparison(explain: Any) -> None:
    """A single comparison is one line with what it read."""
    told = explain("file.info.snr < 1.0")
    assert told.value is True
    assert story(told) == [("file.info.snr < 1.0", "true", {"file.info.snr": 0.8}, "")]
    assert told.as_json() == [
        {"expr": "file.info.snr < 1.0", "result": "true", "values": {"file.info.snr": 0.8}, "note": ""}
    ]


def test_parts_in_order_with_what_was_not_needed(explain: Any) -> None:
    """Each operand has its line below its whole; parts that were never reached say so."""
    told = explain("file.type == 'dicom' and file.info.snr < 1 or not (file.info.gone > 2 or missing) or t1")
    assert [(line.depth, line.expr, line.result) for line in told.lines] == [
        (0, "file.type == 'dicom' and file.info.snr < 1 or not (file.info.gone > 2 or missing) or t1", "true"),
        (1, "file.type == 'dicom' and file.info.snr < 1", "false"),
        (2, "file.type == 'dicom'", "false"),
        (2, "file.info.snr < 1", "not needed"),
        (1, "not (file.info.gone > 2 or missing)", "false"),
        (2, "file.info.gone > 2 or missing", "true"),
        (3, "file.info.gone > 2", "unknown"),
        (3, "missing", "true"),
        (1, "t1", "true"),
    ]
    by_text = {line.expr: line for line in told.lines}
    assert by_text["file.info.gone > 2"].note == "file.info.gone is missing"
    assert by_text["file.info.gone > 2"].values == {"file.info.gone": None}
    assert by_text["file.info.snr < 1"].values == {}
    assert by_text["missing"].values == {"missing": ["T1w"]}
    assert by_text["t1"].values == {"t1": [{"name": "a.nii"}, {"name": "b.nii"}]}


def test_why_it_is_unknown(explain: Any) -> None:
    """The note of the whole names what is missing, null or of the wrong kind."""
    for source, note in {
        "file.info.gone < 1": "file.info.gone is missing",
        "file.info.null < 1": "file.info.null is null",
        "file.info.text < 1": "file.info.text is text 'nan', a number is needed to compare it with 1",
        "'x' in file.classification.Intend": "file.classification.Intend is missing",
        "file.name": "file.name is text 'task-rest_bold.nii.gz', a condition (true, false or a list) is needed",
        "true and file.info.nan > 1": "file.info.nan is NaN",
    }.items():
        told = explain(source)
        assert isinstance(told.value, Unknown)
        assert (told.lines[0].result, told.lines[0].note) == ("unknown", note)


def test_calls_show_their_results(explain: Any) -> None:
    """The values of a line hold its calls as well as its paths."""
    told = explain("len(t1) + 1 > 2 and qc('bold').level == 'fail'", functions={"qc": lambda _n, _p: {"level": "ok"}})
    assert told.lines[1].values == {"t1": [{"name": "a.nii"}, {"name": "b.nii"}], "len(t1)": 2}
    assert told.lines[2].values == {"qc('bold')": {"level": "ok"}, "qc('bold').level": "ok"}


def test_dates_and_the_present_time(explain: Any) -> None:
    """Dates are shown in ISO 8601, moving quantities as plain numbers."""
    told = explain("days(now - session.timestamp) > 3")
    assert told.lines[0].values == {
        "now": "2026-11-05T12:00:00+00:00",
        "session.timestamp": "2026-11-01T12:00:00+00:00",
        "days(now - session.timestamp)": 4.0,
    }
    json.dumps(told.as_json())


def test_loops_say_for_how_many(explain: Any) -> None:
    """Parts inside of a loop tell for how many elements they hold, which, and what was read."""
    told = explain("any(f.info.snr < 0.1 or f.name == 'good.nii.gz' and false for f in acquisition.files)")
    assert told.lines[0].result == "unknown"
    inner = {line.expr: line for line in told.lines}
    low = inner["f.info.snr < 0.1"]
    assert (low.result, low.values) == ("mixed", {"f.info.snr": [2.0, 0.5, None]})
    assert low.note == "true for 0 of 3; unknown for 1: f.info.snr is missing"
    name = inner["f.name == 'good.nii.gz'"]
    assert (name.result, name.note) == ("mixed", "true for 1 of 3 (good.nii.gz)")
    assert inner["false"].result == "false"


def test_loops_stop_where_the_evaluation_stopped(explain: Any) -> None:
    """`any` ends at the first match, and the explanation counts no further."""
    told = explain("any(f.info.snr < 1 for f in acquisition.files)")
    assert told.lines[1].note == "true for 1 of 2 (bad.nii.gz)"
    assert told.lines[0].values == {"acquisition.files": trimmed([{"name": "good.nii.gz", "info": {"snr": 2.0}},
        {"name": "bad.nii.gz", "info": {"snr": 0.5}}, {"name": "unrated.nii.gz", "info": {}}])}  # fmt: skip


def test_filtered_lists_show_their_bounds(explain: Any) -> None:
    """The length of a list with unclear elements is shown as a range."""
    told = explain("len([f for f in acquisition.files if f.info.snr < 1]) > 1")
    assert told.lines[0].values["len([f for f in acquisition.files if f.info.snr < 1])"] == "1 to 2"
    assert told.lines[0].values["[f for f in acquisition.files if f.info.snr < 1]"] == "1 to 2 elements"
    assert told.lines[0].note == "1 element(s) unclear: f.info.snr is missing"
    empty = explain("any(f.x > 1 for f in empty)")
    assert empty.lines[1].result == "not needed"


def test_many_elements_are_cut(explain: Any) -> None:
    """Only the first values of a long loop are kept, with the number of all."""
    told = explain("all(x < 90 for x in many)", many=list(range(90)))
    assert told.lines[1].values == {"x": [0, 1, 2, 3, 4, "… 90 in all"]}
    assert told.lines[1].note == "true for 90 of 90 (0, 1, 2, 3, 4, …)"
    assert told.lines[1].result == "true"


def test_count_names_the_nodes(now: datetime) -> None:
    """`count` tells which nodes met its condition."""
    nodes = [{"acquisition": {"label": label}} for label in ("T1w", "T2w", None)]
    told = compile_expression("count(acquisition, acquisition.label == 'T1w') > 0", names=()).explain(
        Context({}, now, below=lambda _level: nodes)
    )
    assert told.value is True
    assert told.lines[1].note == "true for 1 of 3 (T1w); unknown for 1: acquisition.label is null"


def test_choices(explain: Any) -> None:
    """Of `a if c else b` the branch that was not taken is not needed."""
    told = explain("(file.info.snr < 1 if has(file.info.snr) else file.info.gone > 1)")
    assert [(line.expr, line.result) for line in told.lines[1:]] == [
        ("has(file.info.snr)", "true"),
        ("file.info.snr < 1", "true"),
        ("file.info.gone > 1", "not needed"),
    ]


def test_values_of_names(explain: Any) -> None:
    """Explained as a value, the first line shows the value itself."""
    told = explain("file.info.snr * 2 if missing else 0", as_condition=False)
    assert (told.value, told.lines[0].result) == (1.6, 1.6)
    assert told.lines[0].values == {"file.info.snr": 0.8}
    assert explain("t1", as_condition=False).lines[0].result == [{"name": "a.nii"}, {"name": "b.nii"}]
    assert explain("t1").lines[0].result == "true"
    assert explain("file.info.snr < 1", as_condition=False).lines[0].result == "true"
    assert explain("file.gone", as_condition=False).lines[0].result == "unknown"


def test_stopped_evaluations_are_explained(explain: Any) -> None:
    """An evaluation that ran out of its bounds says so."""
    source = "any(a + b + c + d == -1 for a in many for b in many for c in many for d in many)"
    told = explain(source, many=list(range(100)))
    assert told.lines[0].result == "unknown"
    assert told.lines[0].note.startswith("stopped: too much work")


def test_trimming() -> None:
    """Shown values are short JSON, whatever they were."""
    long = {"id": "x", "label": "L", "info": {"a": 1}, "name": "n"}
    assert trimmed(long) == {"id": "x", "label": "L", "name": "n"}
    assert trimmed({str(n): n for n in range(20)})["…"] == "20 in all"
    assert trimmed("x" * 500) == "x" * 120 + "…"
    assert trimmed([[[[[1]]]]]) == [[["… 1"]]]
    assert trimmed({"a": {"b": {"c": {"d": 1}}}}) == {"a": {"b": {"c": "… 1"}}}
    assert trimmed(float("nan")) is None
    assert trimmed(10**200) == 1e200
    assert trimmed({1}) == "set"
    assert trimmed(True) is True
