"""Which members of a zip file come, where they go, and which are refused."""

from __future__ import annotations

from typing import Any

import pytest

from flyball.effects.digests import digest_of, is_same
from flyball.effects.downloading import MOST_MEMBERS, checked_members, fits, member_paths
from flyball.model.errors import Permanent


def listed(*members: tuple[str, Any]) -> list[dict[str, Any]]:
    """Members as the site lists them."""
    return [{"path": path, "size": size} for path, size in members]


@pytest.mark.parametrize(
    ("members", "size", "complaint"),
    [
        (listed(("../a", 1)), 10, "points out of its folder"),
        (listed(("a", None)), 10, "does not tell the size"),
        (listed(("a", -1)), 10, "does not tell the size"),
        (listed(*((f"{n}", 1) for n in range(MOST_MEMBERS + 1))), 10, "more than 10,000 are not brought"),
        (listed(("a", 4 * 1024**3)), 5_000_000, "zip bomb"),
        (listed(("a", 300 * 1024**3)), 10**12, "zip bomb"),
    ],
    ids=["up", "no-size", "negative", "many", "swollen", "huge"],
)
def test_refused(members: list[dict[str, Any]], size: int, complaint: str) -> None:
    """With the reason."""
    with pytest.raises(Permanent, match=complaint):
        checked_members(members, size)


def test_large_members_of_large_files_come() -> None:
    """Zip files of images hold little more than their own size."""
    assert checked_members(listed(("a/b.nii", 3 * 1024**3)), 2 * 1024**3) == [(["a", "b.nii"], 3 * 1024**3)]


def test_places() -> None:
    """One alone under its own name; those of the same name with their folders; never two in one place."""
    assert member_paths([["x", "stats", "aseg.stats"]], ["to"], folder=True) == [["to", "aseg.stats"]]
    assert member_paths([["x", "aseg.stats"]], ["to", "s1.stats"], folder=False) == [["to", "s1.stats"]]
    assert member_paths([["x", "a"], ["y", "a"], ["b"]], ["to"], folder=True) == [
        ["to", "x", "a"],
        ["to", "y", "a"],
        ["to", "b"],
    ]
    same = member_paths([["x", "a"], ["x", "A"]], ["to"], folder=True)
    assert len({"/".join(path).lower() for path in same}) == 2


@pytest.mark.parametrize(
    ("glob", "name", "fit"),
    [
        ("*/aseg.stats", "sub-1/stats/aseg.stats", True),
        ("*/aseg.stats", "aseg.stats", False),
        ("*aseg.stats", "aseg.stats", True),
        ("a?c", "abc", True),
        ("a.c", "abc", False),
        ("[a]", "a", False),
    ],
)
def test_globs(glob: str, name: str, fit: bool) -> None:
    """`*` goes across folders; nothing else has a meaning but `?`."""
    assert fits(name, [glob]) is fit


def test_hashes() -> None:
    """As sites write them; another hash alone does not say that the content is another one."""
    digest = "ab" * 48
    assert digest_of(f"v0-sha384-{digest}") == ("sha384", digest)
    assert digest_of("cd" * 32) == ("sha256", "cd" * 32)
    assert digest_of("crc32:1234") is None
    assert digest_of(None) is None
    assert is_same({"size": 3, "hash": f"v0-sha384-{digest}"}, 3, {"sha384": digest}) is True
    assert is_same({"size": 4, "hash": f"v0-sha384-{digest}"}, 3, {"sha384": digest}) is False
    assert is_same({"size": 3, "hash": "x"}, 3, {"sha384": digest}) is None
    assert is_same({"size": 3, "hash": f"v0-sha384-{digest}"}, 3, {"sha384": "00"}) is None
