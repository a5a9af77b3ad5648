"""`python -m chaos [--seed N] [--kills N] [--faults N] [--store …] [--replicas N]`: storms until something breaks.

Exit code 0: nothing lost, nothing doubled. 1: something was; the seed repeats it.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

from chaos.plan import SHORT, Options, Scale
from chaos.storm import storm


def main() -> int:
    """Read the arguments, and do the storms one after another."""
    parser = argparse.ArgumentParser(prog="chaos", description="Kills and faults, and what is true afterwards.")
    parser.add_argument("--seed", type=int, default=20261120, help="of the first storm; the next ones count on")
    parser.add_argument("--seeds", type=int, default=1, help="so many storms")
    parser.add_argument("--kills", type=int, default=200, help="in each storm")
    parser.add_argument("--faults", type=int, default=2000, help="in each storm, at the least")
    parser.add_argument(
        "--store",
        default="embedded",
        help="embedded, postgresql (a server of our own), or the address of an empty database",
    )
    parser.add_argument("--replicas", type=int, help="daemons at once; default 1, on PostgreSQL 3")
    parser.add_argument("--dialect", choices=["v23", "live19"], help="of the site; default: in turns")
    parser.add_argument("--arrivals", type=int, help="new subjects; default: one for every third kill")
    parser.add_argument("--short", action="store_true", help="late commits after 2 s instead of 20 s")
    parser.add_argument("--json", action="store_true", help="a JSON line for each storm")
    parser.add_argument("--keep", type=Path, help="folder in which a failed storm's ledger and logs are kept")
    given = parser.parse_args()
    replicas = given.replicas or (1 if given.store == "embedded" else 3)
    failed = 0
    for turn in range(given.seeds):
        options = Options(
            seed=given.seed + turn,
            kills=given.kills,
            faults=given.faults,
            store=_store(given.store),
            replicas=replicas,
            dialect=given.dialect or ("v23", "live19")[(given.seed + turn) % 2],
            arrivals=given.arrivals or max(10, given.kills // 3),
            scale=SHORT if given.short else Scale(),
        )
        folder = Path(tempfile.mkdtemp(prefix=f"flyball-chaos-{options.seed}-"))
        try:
            tally = storm(folder, options)
            print(json.dumps(tally.as_json()) if given.json else "\n".join(tally.lines()), flush=True)
            if not tally.sound:
                failed += 1
                if given.keep is not None:
                    shutil.copytree(folder, given.keep / str(options.seed), dirs_exist_ok=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return 1 if failed else 0


def _store(given: str) -> str:
    """The storm's store: each storm is a lab of its own, with a site of its own."""
    if given != "postgresql":
        return given
    from support.server import Server  # noqa: PLC0415 - a server of our own, only where it is asked for

    return Server.shared().new_database()


if __name__ == "__main__":
    sys.exit(main())
