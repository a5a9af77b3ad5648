"""Effects per second: tag effects with their ledger, against a bare loop that sends the same writes."""

from __future__ import annotations

from bench.lab import SEEN, lab
from bench.processes import SiteProcess, folder, measured, once, site
from bench.result import Options, Result, held, short

EFFECTS = 3000
AIMS = {0: 0.5, 40: 0.9}


def run(options: Options) -> Result:
    """Both at 0 and at 40 ms, 32 requests at once; measured at the site, from the first write to the last."""
    count = options.size or EFFECTS
    rows = []
    for latency, aim in AIMS.items():
        with site(count, scans=1, poor=0) as box, folder() as work:
            box.delay(latency)
            box.tell("clear")
            measured(["bench.bare", box.key, str(count), "SEEN"], work)
            bare = per_second(box, count)
        with site(count, scans=1, poor=0) as box, folder() as work:
            box.delay(latency)
            config = lab(work, box.key, SEEN)
            box.tell("clear")
            cost = once(config, work)
            ours = per_second(box, count)
        ratio = ours / bare
        rows.append(
            [
                f"{latency} ms",
                f"{count:,}",
                f"{short(bare)}/s",
                f"{short(ours)}/s",
                f"{short(ratio)} ({held(ratio, at_least=aim)})",
                f"{short(cost.cpu / count * 1000)} ms",
            ]
        )
    return Result(
        ("latency", "effects", "bare aiohttp loop", "with ledger", "ratio", "our CPU for each, all in all"),
        rows,
        (
            "Measured at the site, from the first tag write to the last.",
            "Each of ours is stored before it is sent and after it was answered, with a flush to the disk (in groups).",
        ),
    )


def per_second(box: SiteProcess, count: int) -> float:
    """Tag writes a second, as the site saw them."""
    told = box.tell("writes")
    if told["count"] != count:
        raise RuntimeError(f"{told['count']} tag writes, where {count} were due")
    return float((count - 1) / (told["last"] - told["first"]))
