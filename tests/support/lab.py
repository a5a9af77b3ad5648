"""A lab for flow tests: config folder on disk, sandbox, and the daemon opened on both."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from flyball.app import Daemon
from flyball.cli.common import load_lab
from flyball.sandbox import Sandbox

SHIPPED = Path(__file__).parents[2] / "config" / "rules"
QUICK_JOBS = {"fail_rate": 0, "pending_s": [0, 0], "running_s": [0, 0], "gears": {"mriqc": {"fail_rate": 0}}}
NOTES = """
version: 1
rules:
  - id: motion-note
    since: all
    each: file
    scope: {file: "*mriqc.qa*"}
    if: "'T2*' in file.classification.Measurement and file.info.fd_mean > 2.5"
    do:
      - note: {on: session, text: "{{ acquisition.label }} {{ file.name }}: mean FD {{ file.info.fd_mean }} mm"}
"""
"""A rule file with notes: one on the session for each report of much motion."""


def write_lab(
    folder: Path,
    key: str,
    rules: str | None = None,
    *,
    site: Mapping[str, Any] | None = None,
    extra: Mapping[str, str] | None = None,
    notify: str | None = None,
    **settings: Any,
) -> Path:
    """Write `config/` below `folder`. Returns the config folder.

    JSON is YAML, so that the settings are written as JSON.

    Args:
        folder: where to.
        key: API key of the site.
        rules: text of the one rule file; without it the shipped example rules, which do not wait for quiet then.
        site: settings of the site, besides those of a quick test.
        extra: further rule files, name → text.
        notify: channel of the shipped rules' alerts.
        settings: further settings.
    """
    config = folder / "config"
    (config / "rules").mkdir(parents=True, exist_ok=True)
    main = {
        "kind": "flywheel",
        "api_key": key,
        "limits": {"per_second": 0, "concurrency": 32},
        "poll": {"every": "200ms"},
        "unclear_wait": {"reset": "100ms", "timeout": "300ms", "late": "100ms"},
        **(site or {}),
    }
    body = {"sites": {"main": main}, "http": {"port": 0}, **settings}
    (config / "flyball.yaml").write_bytes(orjson.dumps(body))
    if rules is None:
        for path in SHIPPED.glob("*.yaml"):
            text = path.read_text().replace("settle: 2h", "settle: 0").replace("settle: 6h", "settle: 0")
            if notify is not None:
                text = text.replace("version: 1\n", f"version: 1\ndefaults: {{notify: {notify}}}\n", 1)
            (config / "rules" / path.name).write_text(text)
        shutil.copytree(SHIPPED.parent / "files", config / "files", dirs_exist_ok=True)
    else:
        (config / "rules" / "rules.yaml").write_text(rules)
    for name, text in (extra or {}).items():
        (config / "rules" / name).write_text(text)
    return config


@asynccontextmanager
async def opened(config: Path, environment: Mapping[str, str] | None = None) -> AsyncIterator[Daemon]:
    """The daemon, open on a config folder."""
    lab = load_lab(environment or {}, config=config)
    assert not lab.rules.rejected, [str(one) for one in lab.rules.rejected]
    async with Daemon(lab.settings, lab.rules, lab.secrets, lab.environment) as daemon:
        yield daemon


def writes(box: Sandbox) -> int:
    """How many requests that change something the sandbox was sent."""
    return sum(count for method, count in box.requests.by_method.items() if method != "GET")
