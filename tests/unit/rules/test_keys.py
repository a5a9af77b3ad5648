"""Once-keys and fingerprints: stable for ever, the same for equal things, different for different ones."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flyball.rules.keys import fingerprint, once_key, suffix, whole_of

SERVICE = Path(__file__).parents[3] / "service"
PARTS: tuple[Any, ...] = ("launch", "r", "e1", {"b": [1, None], "a": "ü"}, 1.5, True)
KEY = "fb-ouiueubxjsqxk6xj7te5o4saoz"


def test_the_form() -> None:
    """`fb-` and 26 base32 characters: fit for a job tag, a label and a note."""
    assert re.fullmatch(r"fb-[a-z2-7]{26}", once_key(*PARTS))
    assert suffix(once_key(*PARTS)) == f" [{once_key(*PARTS)[:9]}]"
    assert re.fullmatch(r" \[fb-[a-z2-7]{6}\]", suffix(once_key("x")))


def test_it_never_changes() -> None:
    """A key of an earlier version must be found on the site by a later one."""
    assert once_key(*PARTS) == KEY


def test_it_is_the_same_in_every_process() -> None:
    """Whatever the seed of Python's own hashes."""
    code = (
        "from flyball.rules.keys import once_key, fingerprint;"
        f"print(once_key(*{PARTS!r}), fingerprint({{'tags': {{'b', 'a', 'c'}}}}))"
    )
    answers = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(SERVICE)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {f"{KEY} {fingerprint({'tags': {'b', 'a', 'c'}})}\n"}


def test_the_order_of_keys_does_not_count_and_that_of_parts_does() -> None:
    """Maps have no order; parts, and lists, do."""
    assert once_key({"a": 1, "b": 2}) == once_key({"b": 2, "a": 1})
    assert once_key("a", "b") != once_key("b", "a")
    assert once_key(["a", "b"]) != once_key(["b", "a"])
    assert once_key("a", None) != once_key("a")
    assert once_key("1") != once_key(1)


@pytest.mark.parametrize(
    "odd",
    [
        {1: "a", "b": 2},
        {None: 1, True: 2, 0.5: 3},
        {"x": float("nan")},
        {"x": 2**200},
        {"x": "\ud800"},
        {"x": {1, "a", (2, 3)}},
        {"x": object},
    ],
    ids=["numbers as keys", "mixed keys", "nan", "huge", "half a character", "a set of mixed kinds", "a class"],
)
def test_odd_values(odd: Any) -> None:
    """Whatever a rule file or a site holds has a fingerprint, and the same one each time."""
    assert fingerprint(odd) == fingerprint(odd)
    assert len(fingerprint(odd)) == 32


def test_endless_nesting() -> None:
    """Beyond a hundred levels nothing counts any more; it is no error."""
    deep: Any = "x"
    for _ in range(3000):
        deep = {"a": deep}
    assert fingerprint(deep) == fingerprint({"a": deep})


def test_whole_of_leaves_out_what_no_rule_reads() -> None:
    """The site's book-keeping, and the order of tags."""
    doc = {"label": "T1w", "tags": ["b", "a"], "modified": "now", "revision": 3}
    assert whole_of(doc) == whole_of({"label": "T1w", "tags": ["a", "b"], "modified": "then", "revision": 4})
    assert whole_of(doc) != whole_of({"label": "T1w", "tags": ["a"]})
    assert whole_of(doc) != whole_of({"label": "T2w", "tags": ["a", "b"]})
