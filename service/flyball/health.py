"""`python -m flyball.health`: asks the daemon on this machine whether it is alive, for containers' health checks.

Exit code 0 when `/healthz` answers 200, else 1 with one line on standard error. It loads nothing but the standard
library, for it is started every few seconds. The port is that of `FLYBALL_HTTP__PORT`, else 8080: a port that stands
in the settings file alone is given as the argument.
"""

from __future__ import annotations

import http.client
import os
import sys
from collections.abc import Mapping, Sequence

PORT = 8080
PATIENCE = 4.0  # seconds


def ask(port: int, *, patience: float = PATIENCE) -> str:
    """Why the daemon on this port is not alive; empty when it is."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=patience)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"nothing answers on port {port}: {type(error).__name__}"
    finally:
        connection.close()
    return "" if status == 200 else f"/healthz on port {port} answers {status}"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """The exit code."""
    text = arguments[0] if arguments else environment.get("FLYBALL_HTTP__PORT", str(PORT))
    if not text.isdecimal() or not 0 < int(text) < 65536:
        sys.stderr.write(f"{text!r} is no port\n")
        return 1
    trouble = ask(int(text))
    if trouble:
        sys.stderr.write(trouble + "\n")
    return 1 if trouble else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
