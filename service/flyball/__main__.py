"""`python -m flyball`, and the installed command."""

from __future__ import annotations

import sys

from flyball.cli.main import run


def main() -> None:
    """Run the command line; the exit code says how it went."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
