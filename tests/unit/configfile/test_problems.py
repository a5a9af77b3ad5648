"""pydantic's errors in the words of the house, with places."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flyball.configfile.problems import annotation_at, keys_at, problems_of
from flyball.configfile.suggest import closest, instead
from flyball.configfile.yaml import read_yaml


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")
    size: Annotated[int, Field(ge=1)] = 1
    kind: Literal["small", "large"] = "small"
    ratio: float = 0.5
    ready: bool = False


class Outer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: str = Field(description="What it is called. In full.")
    where: Annotated[str, Field(alias="from", min_length=1)] = "here"
    parts: dict[str, Inner] = {}
    words: tuple[str, ...] = ()
    mixed: int | Inner | None = None


def told(text: str) -> list[str]:
    written = read_yaml(text, "f")
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(written.root)
    return [str(problem) for problem in problems_of(caught.value, written, Outer)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: a\nnmae: b", "f:2:1: unknown key `nmae`; did you mean `name`?"),
        ("name: a\nzzz: b", "f:2:1: unknown key `zzz`; known here: from, mixed, name, parts, words"),
        ("name: a\nwhere: b", "f:2:1: unknown key `where`; known here: from, mixed, name, parts, words"),
        ("parts: {}", "f:1:1: the key `name` is missing (What it is called)"),
        ("name: 7", "f:1:7: `name` must be text, not the number 7; write it in quotes"),
        ("name: [a]", "f:1:7: `name` must be text, not a list"),
        ("name:", "f:1:6: `name` must be text, not empty"),
        ("name: a\nfrom: ''", "f:2:7: `from` must not be empty"),
        ("name: a\nparts: {x: {size: 0}}", "f:2:19: `size` must be at least 1, not the number 0"),
        ("name: a\nparts: {x: {size: b}}", "f:2:19: `size` must be a whole number, not the text 'b'"),
        (
            "name: a\nparts: {x: {kind: smal}}",
            "f:2:19: `kind`: 'smal' is not one of small, large; did you mean `small`?",
        ),
        ("name: a\nparts: {x: {ratio: much}}", "f:2:20: `ratio` must be a number, not the text 'much'"),
        ("name: a\nparts: {x: {ready: maybe}}", "f:2:20: `ready` must be true or false, not the text 'maybe'"),
        ("name: a\nparts: {x: {sise: 1}}", "f:2:13: unknown key `sise`; did you mean `size`?"),
        ("name: a\nparts: {x: 3}", "f:2:12: `x` must be a mapping of keys to values, not the number 3"),
        ("name: a\nwords: b", "f:2:8: `words` must be a list, not the text 'b'"),
        ("name: a\nwords: [b, {c: d}]", "f:2:12: entry 2 of `words` must be text, not a mapping"),
        (
            "name: a\nmixed: b",
            (
                "f:2:8: `mixed` must be a whole number, not the text 'b'; or `mixed` must be a mapping of keys to values, "
                "not the text 'b'"
            ),
        ),
    ],
)
def test_words(text: str, message: str) -> None:
    """Each kind of mistake says what is wrong and what would be right, once, where it stands."""
    assert told(text) == [message]


def test_all_at_once_in_order() -> None:
    """All problems are told, in the order of the file."""
    text = "parts: {x: {size: b, kindd: small}}\nwords: 1\n"
    assert [line.split(": ")[0] for line in told(text)] == ["f:1:1", "f:1:19", "f:1:22", "f:2:8"]


def test_values_can_be_hidden() -> None:
    """Where values may be secrets, none is repeated."""
    written = read_yaml("name: a\nparts: {x: {size: hunter2, kind: hunter2}}", "f")
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(written.root)
    hidden = problems_of(caught.value, written, Outer, shown=lambda path: path[-1] == "never")
    assert [problem.message for problem in hidden] == [
        "`size` must be a whole number",
        "`kind`: it is not one of small, large",
    ]


def test_keys_and_types_by_path() -> None:
    """Which keys may stand where, through maps, lists, unions and aliases."""
    assert keys_at(Outer, ("parts", "any")) == ["size", "kind", "ratio", "ready"]
    assert keys_at(Outer, ("mixed", "Inner")) == ["size", "kind", "ratio", "ready"]
    assert annotation_at(Outer, ("words", 0)) == [str]
    assert annotation_at(Outer, ("from",)) == [str]
    assert annotation_at(Outer, ("nowhere", "at all")) == []


def test_suggestions() -> None:
    """The closest known word, whatever the case; else the known words, not too many."""
    assert closest("Acquisiton", ["acquisition", "session"]) == "acquisition"
    assert closest("zebra", ["acquisition"]) is None
    assert instead("zebra", []) == "nothing can stand here"
    assert instead("zebra", [f"word{n:02}" for n in range(20)]).endswith("word15, …")
