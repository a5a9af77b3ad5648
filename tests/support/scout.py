"""A lab with a Neuroscout server for flow tests: its settings, its rules, and what the emulated server has in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from flyball.sandbox import Sandbox
from support.lab import write_lab

MATRIX = """
rules:
  - id: single-predictor-models
    site: scout
    trigger: [startup]
    each: matrix
    matrix: {dataset: [Life, Sherlock], predictor: [rmse, speech, brightness]}
    do:
      - neuroscout.analysis:
          name: "{{ predictor }} in {{ dataset }}"
          dataset: "{{ dataset }}"
          predictors: ["{{ predictor }}", FramewiseDisplacement]
          compile: true
"""
"""The tutorial's matrix: six analyses by name, compiled."""

CELLS = {
    f"{predictor} in {dataset}" for dataset in ("Life", "Sherlock") for predictor in ("rmse", "speech", "brightness")
}
QUICK = {"compile_s": 0.1, "upload_s": 0.1, "report_s": 0.1, "lag_s": 0}


def scout_settings(url: str, user: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """Settings of a Neuroscout site for quick tests."""
    settings: dict[str, Any] = {
        "kind": "neuroscout",
        "url": url,
        "email": user["email"],
        "password": user["password"],
        "poll": {"every": "200ms"},
        "limits": {"per_second": 0, "concurrency": 16},
        "unclear_wait": {"reset": "100ms", "timeout": "300ms"},
    }
    return settings | more


def write_scout_lab(folder: Path, box: Sandbox, rules: str, **more: Any) -> Path:
    """A config folder with both emulated sites; `more` are settings of the Neuroscout site. Returns it."""
    scout = scout_settings(box.neuroscout, box.scout_users[0], **more)
    config = write_lab(folder, box.key, rules)
    return add_scout(config, scout)


def add_scout(config: Path, scout: Mapping[str, Any]) -> Path:
    """Add a Neuroscout site to the settings of a config folder; the folder."""
    file = config / "flyball.yaml"
    settings = orjson.loads(file.read_bytes())
    settings["sites"]["scout"] = dict(scout)
    file.write_bytes(orjson.dumps(settings))
    return config


def made(box: Sandbox) -> list[Any]:
    """The analyses on the server that a daemon made: their description carries a once-key."""
    return [row for row in box.scout.analyses.values() if "[fb-" in str(row.description or "")]


def names_of(box: Sandbox) -> Counter[str]:
    """How many of them there are of each name."""
    return Counter(str(row.name) for row in made(box))
