"""Comprehensions, any, all and count over lists with gaps."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.rules.expression import Context, compile_expression
from flyball.rules.expression.values import Unknown


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("any(f.info.snr < 1 for f in acquisition.files)", "yes"),
        ("any(f.info.snr > 9 for f in acquisition.files)", "unknown"),
        ("any(f.info.snr > 9 for f in acquisition.files if has(f.info.snr))", "no"),
        ("all(f.info.snr > 1 for f in acquisition.files)", "no"),
        ("all(f.info.snr > 0 for f in acquisition.files)", "unknown"),
        ("all(f.info.snr > 0 for f in acquisition.files if has(f.info.snr))", "yes"),
        ("any(f.name == 'bad.nii.gz' for f in acquisition.files if f.info.snr < 1)", "yes"),
        ("any(f.name == 'unrated.nii.gz' for f in acquisition.files if f.info.snr < 1)", "unknown"),
        ("any(f.name == 'nobody' for f in acquisition.files if f.info.snr < 1)", "no"),
        ("all(f.name == 'bad.nii.gz' for f in acquisition.files if f.info.snr < 1)", "unknown"),
        ("all(endswith(f.name, 'gz') for f in acquisition.files if f.info.snr < 1)", "yes"),
        ("any(f.x for f in empty)", "no"),
        ("all(f.x for f in empty)", "yes"),
        ("any(f.x > 1 for f in file.gone)", "unknown"),
        ("all(f.x > 1 for f in file.gone)", "unknown"),
        ("any(f for f in file.size)", "unknown"),
        ("any([true, null])", "yes"),
        ("any([false, null])", "unknown"),
        ("all([true, null])", "unknown"),
        ("all([false, null])", "no"),
        ("any([])", "no"),
        ("any([1])", "unknown"),
        ("any([f.info.snr < 1 for f in acquisition.files])", "yes"),
        ("any(missing)", "unknown"),
        ("any(x == y for x in [1, 2] for y in [2, 3])", "yes"),
        ("any(x == y for x in [1, 2] for y in [3, 4])", "no"),
        ("any(x == y for x in [1, null] for y in [3, 4])", "unknown"),
        ("any(x == y for x in [1, 2] if x > 1 for y in [1, 2] if y < 2)", "no"),
        ("any(any(y == x for y in [2]) for x in [1, 2])", "yes"),
        ("any(y for x in [1, null] for y in file.gone)", "unknown"),
        ("any(y == 1 for x in [1, null] if x > 0 for y in [1])", "yes"),
        ("any(y == 1 for x in [null] if x > 0 for y in [1])", "unknown"),
        ("[f for f in acquisition.files if f.info.snr < 1]", "yes"),
        ("[f for f in acquisition.files if f.info.snr > 9]", "unknown"),
        ("[f for f in empty]", "no"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) >= 1", "yes"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) >= 2", "unknown"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) > 2", "no"),
        ("3 > len([f for f in acquisition.files if f.info.snr < 1])", "yes"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) == 7", "no"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) == 1.5", "no"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) != 7", "yes"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) == 1", "unknown"),
        ("len([f for f in acquisition.files if f.info.snr < 1]) == 'a'", "unknown"),
        ("len(f for f in acquisition.files) == 3", "yes"),
        ("max(f.info.snr for f in acquisition.files if has(f.info.snr)) == 2", "yes"),
        ("max(f.info.snr for f in acquisition.files) == 2", "unknown"),
        ("sum(f.info.snr < 1 for f in acquisition.files if has(f.info.snr)) == 1", "yes"),
    ],
)
def test_loops(truth: Any, source: str, expected: str) -> None:
    """An unclear element counts as logic says: it can spoil an answer, not a definite one."""
    assert truth(source) == expected


def test_lists(value: Any) -> None:
    """A comprehension makes a list; its unknown elements come out as null."""
    assert value("[f.name for f in t1]") == ["a.nii", "b.nii"]
    assert value("[f.info.snr for f in acquisition.files]") == [2.0, 0.5, None]
    assert value("[x + y for x in [1, 2] for y in [10, 20]]") == [11, 21, 12, 22]
    assert value("sorted(upper(f.name) for f in t1)") == ["A.NII", "B.NII"]
    assert value("[[y for y in x] for x in [[1], [2, 3]]]") == [[1], [2, 3]]
    assert value("[file.name for file in t1] + [file.type]") == ["a.nii", "b.nii", "nifti"]
    assert value("[f for f in acquisition.files if f.info.snr < 1]") == "?"


def counted(source: str, nodes: Any, now: Any, names: dict[str, Any] | None = None) -> Any:
    """The truth of an expression with the given nodes below the target."""
    known = names if names is not None else {"session": {"label": "s"}, "acquisition": {"label": "outer"}}
    return compile_expression(source, names=known).test(Context(known, now, below=nodes))


def below(level: str) -> Any:
    """Three acquisitions, one without a label, each with two files."""
    acquisitions = [{"label": "T1w"}, {"label": "T1w"}, {"label": None}]
    if level == "acquisition":
        return [{"acquisition": a} for a in acquisitions]
    if level == "file":
        return [{"acquisition": a, "file": {"name": n}} for a in acquisitions for n in ("x", "y")]
    return Unknown(f"the {level}s cannot be read")


def test_count(now: Any) -> None:
    """`count` binds the level's name to each node below the target and counts with bounds."""
    assert counted("count(acquisition, acquisition.label == 'T1w') >= 2", below, now) is True
    assert counted("count('acquisitions', acquisition.label == 'T1w') > 3", below, now) is False
    assert counted("count(file, file.name == 'x') == 3", below, now) is True
    assert counted("count(file, file.name == 'x') == 3 and acquisition.label == 'outer'", below, now) is True
    unknown = counted("count(acquisition, acquisition.label == 'T1w') == 3", below, now)
    assert isinstance(unknown, Unknown)
    assert unknown.reason == "1 of the acquisitions unclear: acquisition.label is null"


def test_count_sees_the_names_between(now: Any) -> None:
    """Below a session, a file's own acquisition can be named in `count`."""
    names = {"session": {"label": "s"}}
    assert counted("count(file, acquisition.label == 'T1w' and session.label == 's') >= 4", below, now, names) is True


def test_count_without_the_nodes_is_unknown(now: Any) -> None:
    """When the nodes below could not be read, or are not provided, nothing is counted."""
    unreadable = counted("count(job, job.state == 'failed') == 0", below, now)
    assert isinstance(unreadable, Unknown)
    assert unreadable.reason == "the jobs cannot be read"
    absent = counted("count(job, job.state == 'failed') == 0", None, now)
    assert isinstance(absent, Unknown)


def test_functions_of_the_environment(now: Any) -> None:
    """They get the names in force and the values of their arguments; unknown arguments never reach them."""
    seen: list[Any] = []

    def qc(names: Any, profile: str) -> Any:
        seen.append((profile, names["file"]["name"]))
        return {"level": "fail" if names["file"]["name"] == "b" else None, "score": float("nan")}

    names = {"file": {"name": "a"}, "files": [{"name": "a"}, {"name": "b"}]}

    def ask(source: str) -> Any:
        return compile_expression(source, names=names, functions={"qc": (1, 1)}).test(
            Context(names, now, functions={"qc": qc}, below=lambda _level: [{"file": {"name": "b"}}])
        )

    assert isinstance(ask("qc('bold').level == 'fail'"), Unknown)
    assert ask("any(qc('bold').level == 'fail' for file in files)") is True
    assert ask("count(file, qc('bold').level == 'fail') == 1") is True
    assert isinstance(ask("qc('bold').score > 1"), Unknown)
    assert [name for _, name in seen] == ["a", "a", "b", "b", "a"]
    assert isinstance(ask("qc(file.gone).level == 'fail'"), Unknown)
    assert len(seen) == 5
    absent = compile_expression("qc('bold')", names=names, functions=["qc"]).test(Context(names, now))
    assert isinstance(absent, Unknown)
    assert absent.reason == "qc is not available here"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("len({}) + 1 > 1", "unknown"),
        ("-len({}) < 0", "unknown"),
        ("abs(len({})) >= 1", "unknown"),
        ("(0 == {}) == 1", "unknown"),
        ("any([0 == {}])", "unknown"),
        ("(({} or false) or false) == true", "yes"),
        ("has({})", "unknown"),
        ("{}[0].name == 'bad.nii.gz'", "unknown"),
        ("any(f.name == 'bad.nii.gz' for f in {})", "unknown"),
        ("len({} + [1]) >= 1", "unknown"),
        ("(len({}) if true else 0) >= 1", "yes"),
        ("coalesce(file.gone, len({}), 3) >= 1", "yes"),
        ("(len({}) > 1) == 2", "unknown"),
        ("len({}) in [1, 2]", "unknown"),
    ],
)
def test_bounds_belong_to_the_list_and_its_length_alone(truth: Any, source: str, expected: str) -> None:
    """What is worked out from an unclear list is plainly unknown; only the list and its length have bounds."""
    assert truth(source.replace("{}", "[f for f in acquisition.files if f.info.snr < 1]")) == expected
