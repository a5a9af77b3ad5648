"""`python -m bench [CASE …] [--size N] [--whole] [--no-save]`: measures, shows, keeps."""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import time
from collections.abc import Callable

import structlog
from rich.console import Console

from bench import (
    crew,
    effects,
    growth,
    hooks,
    idle,
    memory,
    plan,
    polls,
    qc,
    reaction,
    replicas,
    reports,
    rules,
    sandbox,
    scale,
    scout,
)
from bench.page import keep, machine, show
from bench.result import Options, Result

CASES: dict[str, tuple[Callable[[Options], Result], str]] = {
    "qc": (qc.run, "size: acquisitions"),
    "effects": (effects.run, "size: effects"),
    "crew": (crew.run, "size: effects"),
    "hooks": (hooks.run, "size: deliveries"),
    "replicas": (replicas.run, "size: effects"),
    "polls": (polls.run, "size: sessions at the most"),
    "reaction": (reaction.run, "size: changes"),
    "plan": (plan.run, "size: sessions"),
    "memory": (memory.run, "size: sessions"),
    "reports": (reports.run, "size: sessions"),
    "scale": (scale.run, "size: sessions at the most"),
    "idle": (idle.run, "size: sessions"),
    "sandbox": (sandbox.run, "size: sessions"),
    "rules": (rules.run, "size: rules"),
    "growth": (growth.run, "size: rules at the most"),
    "scout": (scout.run, "size: analyses"),
}


def main() -> None:
    """Run the cases that are named, or all."""
    about = "; ".join(f"{name} ({size})" for name, (_, size) in CASES.items())
    parser = argparse.ArgumentParser(prog="bench", description=f"Cases: {about}.")
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all of them, in about ten minutes")
    parser.add_argument("--size", type=int, help="how large; goes with one case")
    parser.add_argument(
        "--whole", action="store_true", help="qc: the SDK's script goes through everything (12 minutes)"
    )
    parser.add_argument("--no-save", action="store_true", help="leave the pages as they are")
    parser.add_argument("--part", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if unknown := [name for name in given.cases if name not in CASES]:
        parser.error(f"there is no case {unknown[0]!r}; there are {', '.join(CASES)}")
    if given.size is not None and len(given.cases) != 1:
        parser.error("--size goes with one case")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console(highlight=False)
    if not given.part:
        console.print(machine(), style="dim")
    names = given.cases or list(CASES)
    for name in names:
        if len(names) > 1:  # a process of its own: the memory of what it starts is counted from its own upwards
            flags = [flag for flag, on in (("--whole", given.whole), ("--no-save", given.no_save)) if on]
            subprocess.run([sys.executable, "-m", "bench", name, "--part", *flags], check=True)
            continue
        began = time.monotonic()
        result = CASES[name][0](Options(given.size, given.whole))
        show(console, name, result, time.monotonic() - began)
        if not given.no_save:
            keep(name, result)


if __name__ == "__main__":
    main()
