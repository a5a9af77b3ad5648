"""The login of Flywheel's own command line program, for sites without a key."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

LOGIN_FILE = Path(".config") / "flywheel" / "user.json"


def login_key(environment: Mapping[str, str]) -> str:
    """The API key in the login file of Flywheel's command line program (SDK 23: `~/.config/flywheel/user.json`).

    Raises:
        ValueError: there is none. The text goes on from "the site has no key, and".
    """
    home = environment.get("HOME") or environment.get("USERPROFILE")
    if not home:
        raise ValueError("there is no home folder to look for the login of Flywheel's command line program")
    path = Path(home) / LOGIN_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise ValueError(f"there is no login in {path} either; set it to env:FLYWHEEL_API_KEY") from None
    except ValueError:
        raise ValueError(f"{path} is no JSON; log in again with Flywheel's command line program") from None
    key = content.get("key") if isinstance(content, dict) else None
    if not isinstance(key, str) or not key.strip():
        raise ValueError(f"{path} holds no key; log in again with Flywheel's command line program")
    return key.strip()
