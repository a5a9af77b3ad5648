"""The heap: what is free goes back to the system; where the C library knows no such thing, nothing happens."""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from flyball import heap

SERVICE = Path(__file__).parents[2] / "service"
FRAGMENTED = """
import sys
sys.path.insert(0, sys.argv[1])
import psutil
from flyball.heap import give_back

def used():
    return psutil.Process().memory_info().rss >> 20

pages = [bytes(2000) for _ in range(40_000)]
kept = pages[::40]
del pages
before = used()
give_back()
print(before, used())
"""


def test_what_lies_between_things_that_stay_goes_back() -> None:
    """Some 80 MB, of which a fortieth stays, all over the place: most of the rest is given back."""
    if not hasattr(ctypes.CDLL(None), "malloc_trim"):
        pytest.skip("this C library gives back by itself, or not at all")
    run = [sys.executable, "-c", FRAGMENTED, str(SERVICE)]
    before, after = map(int, subprocess.run(run, check=True, capture_output=True, timeout=120).stdout.split())
    assert before - after > 40


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without these functions, or without a library at all, both do nothing."""

    class Bare:
        """A library with nothing in it."""

    def missing(_: object) -> Bare:
        raise OSError("no such library")

    for library in (lambda _: Bare(), missing):
        monkeypatch.setattr(ctypes, "CDLL", library)
        heap.give_back()
        heap.share_one_heap()
