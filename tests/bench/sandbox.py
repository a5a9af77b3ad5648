"""The emulated site at scale: it must not be what is measured elsewhere.

`python -m bench.sandbox KEY WHAT COUNT`: sends so many requests of one kind, 32 at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import psutil

from bench.processes import environment, folder, measured
from bench.result import Options, Result, held, short

SESSIONS = 100_000
AT_ONCE = 32
SINGLE, PAGES, QUIET = 10_000, 20, 500
MIB = 1 << 20


def run(options: Options) -> Result:
    """`flyball sandbox --sessions N`: its start, its memory, its answers for a second of its processor time."""
    sessions = options.size or SESSIONS
    with folder() as work, sandbox(sessions, work) as (process, key, seconds):
        memory = process.memory_info().rss / MIB
        rows = [
            ["start", f"{short(seconds)} s ({held(seconds, at_most=60, unit=' s')})"],
            ["memory", f"{memory:,.0f} MiB ({held(memory, at_most=3072, unit=' MiB')})"],
        ]
        for kind, count, about in (
            ("single", SINGLE, "one acquisition"),
            ("quiet", QUIET, "what changed since, where nothing did"),
            ("page", PAGES, "a page of 1,000 acquisitions with info"),
        ):
            rate, alone = _rates(process, ["bench.sandbox", key, kind, str(count)], work, count)
            aim = f" ({held(alone, at_least=2500, unit='/s')})" if kind == "single" else ""
            rows.append([about, f"{short(alone)} for a second of its processor time{aim}; {short(rate)}/s here"])
    return Result(
        ("", f"{sessions:,} sessions"),
        rows,
        (
            "`here`: as a client on the same machine sees it, with the start of that client.",
            "Processor time is the sandbox's alone: it has one thread, so this is what one core answers in a second.",
        ),
    )


def _rates(process: psutil.Process, words: list[str], work: Path, count: int) -> tuple[float, float]:
    """Requests a second, and for each second of the process' own time."""
    before = sum(process.cpu_times()[:2])
    seconds = measured(words, work).seconds
    return count / seconds, count / (sum(process.cpu_times()[:2]) - before)


@contextmanager
def sandbox(sessions: int, work: Path) -> Iterator[tuple[psutil.Process, str, float]]:
    """The command, listening: its process, a key, and the seconds that it took."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "flyball", "sandbox", "--sessions", str(sessions)],
        stdout=subprocess.PIPE,
        cwd=work,
        env=environment(work),
    )
    try:
        assert process.stdout is not None
        key = json.loads(process.stdout.readline())["flywheel"]
        yield psutil.Process(process.pid), key, time.monotonic() - began
    finally:
        process.kill()
        process.communicate()


KINDS: dict[str, Callable[[str, str], str]] = {
    "single": lambda root, ident: f"{root}/acquisitions/{ident}",
    "quiet": lambda root, _: f"{root}/acquisitions?sort=modified:asc&limit=1000&filter=modified>=2099-01-01T00:00:00Z",
    "page": lambda root, ident: f"{root}/acquisitions?limit=1000&after_id={ident}&include_all_info=true",
}


async def send(key: str, kind: str, count: int) -> None:
    """Ask, and let nothing but 200 pass."""
    host, port, _, token = key.split(":")
    root, url = f"http://{host}:{port}/api", KINDS[kind]
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {token}"}, connector=aiohttp.TCPConnector(limit=0)
    ) as session:
        async with session.get(f"{root}/acquisitions?limit=500") as response:
            idents = [row["_id"] for row in await response.json()]
        waiting = iter(range(count))

        async def work() -> None:
            for number in waiting:
                async with session.get(url(root, idents[number % len(idents)])) as response:
                    await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{kind}: {response.status}")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE if kind != "page" else 2):
                tasks.create_task(work())


def main() -> None:
    """Read the arguments and send."""
    import uvloop  # noqa: PLC0415 - absent on some platforms, where nothing is measured

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("key")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(send(given.key, given.kind, given.count))


if __name__ == "__main__":
    main()
