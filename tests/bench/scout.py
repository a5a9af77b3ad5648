"""Many Neuroscout analyses from one matrix: time, requests, and how many compiled at once."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import uvloop

from bench.result import Options, Result, held, short
from flyball.cli.looping import spare_the_collector
from flyball.sandbox import Sandbox, Scenario
from support.lab import opened
from support.scout import made, write_scout_lab

SIZE = 200
PLACES = 8
RULE = """
rules:
  - id: many
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {{dataset: [Life, Sherlock], predictor: [rmse, speech, brightness, FramewiseDisplacement], n: {numbers}}}
    do:
      - neuroscout.analysis:
          {{name: "{{{{ predictor }}}} in {{{{ dataset }}}} {{{{ n }}}}", dataset: "{{{{ dataset }}}}",
           predictors: ["{{{{ predictor }}}}"]}}
"""


def run(options: Options) -> Result:
    """Daemon and server in this process: it is the server's compiling that takes the time."""
    spare_the_collector()
    size = (options.size or SIZE) // 8 * 8
    rows = []
    with tempfile.TemporaryDirectory() as work, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        seconds, requests, peak, again = runner.run(_measure(Path(work), size))
    rows.append(["first", str(size), f"{short(seconds)} s", str(requests), str(peak), ""])
    rows[0][-1] = held(requests / size, at_most=6, unit=" requests an analysis")
    rows.append(["again", str(size), "", str(again), "0", ""])
    return Result(
        ("run", "analyses", "until all have passed", "requests", "most compiling at once", "aim"),
        rows,
        (
            f"Created by name and compiled, `limits.compiling: {PLACES}`; compiling takes 0.3 to 1 s on 8 workers.",
            "`again`: the same rule in a fresh daemon; login and lists, and nothing is made.",
        ),
    )


async def _measure(folder: Path, size: int) -> tuple[float, int, int, int]:
    """Seconds and requests of the first run, the most analyses that compiled at once, requests of the second run."""
    habits = {"compile_s": [0.3, 1.0], "workers": 8}
    async with Sandbox(Scenario.named("lab", neuroscout={"habits": habits})) as box:
        rule = RULE.format(numbers=list(range(size // 8)))
        config = write_scout_lab(folder, box, rule, limits={"per_second": 0, "concurrency": 16, "compiling": PLACES})
        began = time.monotonic()
        peak = 0
        async with opened(config) as daemon, asyncio.TaskGroup() as tasks:
            running = tasks.create_task(daemon.run_until_idle())
            while not running.done():
                peak = max(peak, sum(row.status == "PENDING" for row in box.scout.analyses.values()))
                await asyncio.sleep(0.02)
        seconds, first = time.monotonic() - began, box.scout_requests.total
        assert len(made(box)) == size
        assert {row.status for row in made(box)} == {"PASSED"}
        async with opened(config) as daemon:
            await daemon.run_until_idle()
        assert len(made(box)) == size
        return seconds, first, peak, box.scout_requests.total - first
