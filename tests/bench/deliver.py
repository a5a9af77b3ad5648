"""Sends webhooks as fast as they are taken: `python -m bench.deliver KEY URL SECRET COUNT`, 32 at a time.

Each names another acquisition of the site. Prints `{"first": T}`, the time of the first delivery (monotonic clock).
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import time

import aiohttp
import orjson
import uvloop

from bench.bare import AT_ONCE, load


def signed(secret: str, ident: str) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of one delivery."""
    body = orjson.dumps({"target": f"acquisition:{ident}"})
    mark = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Hub-Signature-256": f"sha256={mark}", "X-Delivery-Id": ident}
    return body, headers


async def deliver(key: str, url: str, secret: str, count: int) -> float:
    """List the acquisitions, then send."""
    host, port, _, token = key.split(":")
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        idents = await load(session, f"http://{host}:{port}/api", count)
    first = time.monotonic()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        waiting = iter(idents)

        async def work() -> None:
            for ident in waiting:
                body, mine = signed(secret, ident)
                async with session.post(url, data=body, headers=mine) as response:
                    await response.read()
                    if response.status != 202:
                        raise RuntimeError(f"{ident}: {response.status}")

        async with asyncio.TaskGroup() as tasks:
            for _ in range(AT_ONCE):
                tasks.create_task(work())
    return first


def main() -> None:
    """Read the arguments and send."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("url")
    parser.add_argument("secret")
    parser.add_argument("count", type=int)
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        first = runner.run(deliver(given.key, given.url, given.secret, given.count))
    print(orjson.dumps({"first": first}).decode())


if __name__ == "__main__":
    main()
