"""Reading documents: paths, subscripts, slices, and what is said when something is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file.name", "task-rest_bold.nii.gz"),
        ("file.info.snr", 0.8),
        ("file['info']['snr']", 0.8),
        ("file.info['Echo Time']", 0.03),
        ("file.info.list[0]", 1),
        ("file.info.list[-1]", 3),
        ("file.info.list[1:]", [2, 3]),
        ("file.info.list[:2]", [1, 2]),
        ("file.info.list[::-1]", [3, 2, 1]),
        ("file.info.list[5:]", []),
        ("t1[1].name", "b.nii"),
        ("t1[1:][0].name", "b.nii"),
        ("file.name[:4]", "task"),
        ("file.name[0]", "t"),
        ("file[('na' + 'me')]", "task-rest_bold.nii.gz"),
        ("file.info.list[len(t1)]", 3),
        ("(t1 + t1)[3]['name']", "b.nii"),
        ("[1, 2, 3][1]", 2),
        ("file.info.list[0:len(t1)]", [1, 2]),
        ("file.classification.Measurement[0]", "T2*"),
        ("acquisition.files[1].info.snr", 0.5),
    ],
)
def test_what_can_be_read(value: Any, source: str, expected: Any) -> None:
    """Attributes and text keys read objects, whole numbers read lists and texts, slices read parts."""
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("file.info.gone", "file.info.gone is missing"),
        ("file.gone.deeper.still", "file.gone is missing"),
        ("file.info.null", "file.info.null is null"),
        ("file.info.null.deeper", "file.info.null is null"),
        ("file.info.nan", "file.info.nan is NaN"),
        ("file.info.inf", "file.info.inf is infinite"),
        ("file.info['Echo']", "file.info['Echo'] is missing"),
        ("t1[2]", "t1[2] is missing: t1 has 2"),
        ("t1[-3].name", "t1[-3] is missing: t1 has 2"),
        ("file.name[99]", "file.name[99] is missing: file.name has 21"),
        ("t1.name", "t1 is a list: pick one element, or use any(… for x in t1)"),
        ("file.name.deeper", "file.name.deeper is missing: file.name is text 'task-rest_bold.nii.gz'"),
        ("file.size.deeper", "file.size.deeper is missing: file.size is the number 12"),
        ("file[0]", "file is an object, its keys are texts"),
        ("file[0.5]", "file[0.5]: the key is the number 0.5, a text or a whole number is needed"),
        ("t1[true]", "t1[true]: the key is true, a text or a whole number is needed"),
        ("t1[file.info.gone]", "file.info.gone is missing"),
        ("file.gone[file.name]", "file.gone is missing"),
        ("t1[0.5:]", "t1[0.5:]: a bound is the number 0.5, a whole number is needed"),
        ("t1[file.gone:]", "file.gone is missing"),
        ("file.gone[1:]", "file.gone is missing"),
        ("t1[::0]", "t1[::0]: the step is zero"),
        ("file.size[1:]", "file.size is the number 12, a list or a text is needed"),
        ("[1][3]", "[1][3] is missing: [1] has 1"),
        ("(1).real", "(1).real is missing: 1 is the number 1"),
    ],
)
def test_what_is_not_there_is_said_as_written(reason: Any, source: str, expected: str) -> None:
    """The reason names the first step that failed, in the words of the rule."""
    assert reason(source) == expected


def test_has(truth: Any) -> None:
    """`has` is false for missing, null and NaN, true for what is there, unknown for what cannot be used."""
    assert [truth(f"has({x})") for x in ("file.info.snr", "file.info.zero", "empty", "file.info.text")] == ["yes"] * 4
    absent = ("file.info.gone", "file.gone.deeper", "file.info.null", "file.info.nan", "t1[5]", "null")
    assert [truth(f"has({x})") for x in absent] == ["no"] * 6
    assert [truth(f"has({x})") for x in ("1 / 0", "t1.name", "date('2026-01-01')", "'a' - 1")] == ["unknown"] * 4


def test_coalesce(value: Any) -> None:
    """`coalesce` gives the first value that is known."""
    assert value("coalesce(file.info.IQM.snr, file.info.snr)") == 0.8
    assert value("coalesce(file.info.nan, file.info.null, 1 / 0, 3)") == 3
    assert value("coalesce(file.info.gone, file.info.null)") == "?"
    assert value("coalesce(file.info.zero, 3)") == 0


def test_keys_with_underscores_are_keys(value: Any) -> None:
    """Only Python's double underscores are refused."""
    assert value("file._id", file={"_id": "x"}) == "x"


class Lazy(Mapping[str, Any]):
    """A mapping that is no dict."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


def test_any_mapping_serves_as_a_document(value: Any, reason: Any) -> None:
    """Documents may be lazy mappings at every level."""
    lazy = Lazy({"info": Lazy({"snr": 3, "tags": ["a"]}), "created": "2026-11-05T11:00:00Z"})
    assert value("file.info.snr", file=lazy) == 3
    assert value("'snr' in file.info and 'x' not in file.info", file=lazy) is True
    assert value("len(file.info)", file=lazy) == 2
    assert value("[k for k in file.info]", file=lazy) == ["snr", "tags"]
    assert value("file == other", file=lazy, other=lazy) is True
    assert value("hours(now - file.created)", file=lazy) == 1
    assert reason("file.info.gone", file=lazy) == "file.info.gone is missing"
