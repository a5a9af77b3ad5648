"""A sign of life during long work: on a terminal only, so that nothing of it gets into a pipe, a log or a file."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from flyball.cli.saying import err, options

SOON = 2.0  # seconds after which it is worth saying how long something took


@contextmanager
def working(what: str) -> Iterator[None]:
    """Show that `what` is under way and for how long; nothing is left of it on the screen afterwards.

    Silent where the output goes elsewhere than to a person: in a pipe, with `--json`, or with errors sent to a file.
    """
    if options.json or not (sys.stdout.isatty() and sys.stderr.isatty()):
        yield
        return
    began = time.monotonic()
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as progress:
        progress.add_task(what, total=None)
        yield
    took = time.monotonic() - began
    if took >= SOON:
        err.print(f"{what}: {took:.0f} s", style="dim", markup=False)
