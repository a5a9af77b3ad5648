"""The C library's heap: one for all threads, and what is free in it goes back to the system now and then.

A page of a site is megabytes that live for a tenth of a second. What such pages leave behind lies between things that
stay, where the C library keeps it: without a word from us, an idle daemon holds what its busiest minute took.
"""

from __future__ import annotations

import contextlib
import ctypes
from typing import Final

_ARENA_MAX: Final = -8  # malloc.h: M_ARENA_MAX


def share_one_heap() -> None:
    """Let all threads take memory from one heap, where the C library is glibc.

    It gives each thread a heap of its own, and what is freed in one is not used by the others: after a first run over
    1,000 sessions the idle daemon held 23 MB more. One lock more is nothing beside Python's own.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, 1)


def give_back() -> None:
    """Give the system what is free, where the C library is glibc. Blocks for some milliseconds, without Python's lock.

    Of a daemon at rest on 5,000 sessions, 18 MB.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
