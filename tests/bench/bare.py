"""The yardstick for writes: a bare aiohttp loop that sends the tag writes it is told, 32 at a time, and no more.

`python -m bench.bare KEY COUNT TAG`: tags the first COUNT acquisitions of the site.
"""

from __future__ import annotations

import argparse
import asyncio

import aiohttp
import orjson
import uvloop

AT_ONCE = 32


async def load(session: aiohttp.ClientSession, root: str, count: int) -> list[str]:
    """Ids of the first acquisitions."""
    found: list[str] = []
    after = ""
    while len(found) < count:
        async with session.get(f"{root}/acquisitions?limit=1000&after_id={after}") as response:
            rows = orjson.loads(await response.read())
        if not rows:
            break
        found += [row["_id"] for row in rows]
        after = found[-1]
    return found[:count]


async def write(key: str, count: int, tag: str) -> None:
    """List, then write."""
    host, port, _, secret = key.split(":")
    root = f"http://{host}:{port}/api"
    headers = {"Authorization": f"Bearer {secret}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:
        waiting = iter(await load(session, root, count))

        async def work() -> None:
            for ident in waiting:
                async with session.post(f"{root}/acquisitions/{ident}/tags", json={"value": tag}) as response:
                    await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{ident}: {response.status}")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work())


def main() -> None:
    """Read the arguments and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("count", type=int)
    parser.add_argument("tag")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(write(given.key, given.count, given.tag))


if __name__ == "__main__":
    main()
