"""The yardstick for webhooks: a bare aiohttp server that checks a signature and sends a tag write for each delivery.

`python -m bench.relay KEY SECRET`: listens on a free port, which it prints. Nothing is stored, nothing is tried again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac

import aiohttp
import orjson
import uvloop
from aiohttp import web

AT_ONCE = 32


async def relay(key: str, secret: str) -> None:
    """Serve until killed."""
    host, port, _, token = key.split(":")
    root = f"http://{host}:{port}/api"
    waiting: asyncio.Queue[str] = asyncio.Queue()

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        signed = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(request.headers.get("X-Hub-Signature-256", ""), signed):
            return web.Response(status=401)
        waiting.put_nowait(orjson.loads(body)["target"].split(":")[1])
        return web.json_response({"event": "1"}, status=202)

    async with (
        aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"}, connector=aiohttp.TCPConnector(limit=0)
        ) as session,
        asyncio.TaskGroup() as tasks,
    ):

        async def work() -> None:
            while True:
                ident = await waiting.get()
                async with session.post(f"{root}/acquisitions/{ident}/tags", json={"value": "SEEN"}) as response:
                    await response.read()

        for _ in range(AT_ONCE):
            tasks.create_task(work())
        application = web.Application()
        application.router.add_post("/hooks/lab", receive)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("secret")
    given = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(relay(given.key, given.secret))


if __name__ == "__main__":
    main()
