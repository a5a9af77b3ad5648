"""Scopes: globs by level."""

import pytest

from flyball.rules.scope import Scope, compile_globs


@pytest.mark.parametrize(
    ("pattern", "text", "inside"),
    [
        ("scien/*", "scien/tome", True),
        ("scien/*", "scien/a/b", True),  # the label's own slashes belong to the label
        ("scien/*", "sciens/tome", False),
        ("*/tome", "scien/tome", True),
        ("*/tome", "a/b/tome", False),  # `*` stays within the group
        ("*", "scien/tome", True),
        ("s?ien/t*e", "scien/tome", True),
        ("scien/[tT]ome", "scien/Tome", True),
        ("scien/[!t]ome", "scien/tome", False),
        ("scien/tome.1", "scien/tomex1", False),
        ("scien/a+b (old)", "scien/a+b (old)", True),
    ],
)
def test_projects(pattern: str, text: str, inside: bool) -> None:
    """Group and label are matched apart."""
    assert compile_globs("project", [pattern]).match(text) is inside


@pytest.mark.parametrize(
    ("patterns", "text", "inside"),
    [
        (["*mriqc.qa*"], "sub-01_mriqc.qa.html", True),
        (["*.nii.gz", "*.nii"], "a.nii", True),
        (["!*.json"], "a.nii", True),
        (["!*.json"], "a.json", False),
        (["a*", "!ab*"], "abc", False),
        (["a*", "!ab*"], "acc", True),
        (["["], "[", True),
        (["a[b"], "a[b", True),
        (["**"], "x\ny", True),
        (["1001"], "1001", True),
        ([], "anything", True),
        (["T1w"], "t1w", False),
    ],
)
def test_labels(patterns: list[str], text: str, inside: bool) -> None:
    """In if one pattern fits, or there is none, unless an excluding one does; case counts."""
    assert compile_globs("file", patterns).match(text) is inside


def test_hostile_patterns_are_quick() -> None:
    """Many stars in a row, and a text that nearly fits, take no noticeable time."""
    globs = compile_globs("file", ["*" * 500 + "x", "a*" * 6 + "b"])
    assert not globs.match("a" * 200)


def test_the_first_level_outside_is_named() -> None:
    """The reason why a target is out of scope."""
    scope = Scope({"project": compile_globs("project", ["a/*"]), "session": compile_globs("session", ["!x"])})
    assert scope.outside({"project": "a/b", "session": "y"}) is None
    assert scope.outside({"project": "c/b", "session": "y"}) == "project"
    assert scope.outside({"project": "a/b", "session": "x"}) == "session"


def test_a_level_that_the_target_lacks() -> None:
    """It is out where something is asked for, and in where something is only excluded."""
    assert Scope({"acquisition": compile_globs("acquisition", ["T1*"])}).outside({"file": "x"}) == "acquisition"
    assert Scope({"acquisition": compile_globs("acquisition", ["!T1*"])}).outside({"file": "x"}) is None
